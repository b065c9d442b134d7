/**
 * Runs a whole agent from a YAML text over the faulty plugin, in this process, and gives back its
 * books.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Agent } from '../../core/agent.ts'
import { openLog } from '../../core/log.ts'
import { loadPlan } from '../../core/plan.ts'
import type { Plan } from '../../core/plan_types.ts'
import type { Account } from '../../core/runtime/ledger.ts'

export interface Graph {
  /**
   * Configuration without `plugins`; `DIE` stands for the path of a file that a stage takes as the
   * word to die.
   */
  readonly yaml: string
}

export interface Books {
  readonly accounts: readonly Account[]
  readonly events: ReadonlyMap<string, number>
  readonly lost: ReadonlyMap<string, number>
  /** Lines of the log, warnings and errors. */
  readonly log: readonly string[]
}

const PLUGINS = ['./faulty_plugin.ts', './rude_plugin.ts'].map(name =>
  fileURLToPath(new URL(name, import.meta.url)),
)

/** The plan of a YAML text; `folder` is where its files lie. */
export function planOf(yaml: string, folder: string): Promise<Plan> {
  const file = join(folder, 'agent.yaml')
  const text = yaml.replaceAll('DIE', join(folder, 'die'))
  writeFileSync(file, `plugins: [${PLUGINS.join(', ')}]\n${text}\n`)
  return loadPlan({ files: [file] })
}

/**
 * Starts an agent in this process. `during` runs while it does; without it the agent runs until all
 * receivers ended.
 */
export async function runGraph(
  graph: Graph,
  during?: (agent: Agent, folder: string) => Promise<void>,
): Promise<Books> {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-graph-'))
  try {
    writeFileSync(join(folder, 'die'), '')
    const lines: string[] = []
    const log = openLog({ format: 'logfmt', level: 'warn', write: line => lines.push(line) })
    const agent = new Agent(await planOf(graph.yaml, folder), { log, signals: false })
    try {
      await agent.start()
      await (during ? during(agent, folder) : agent.ended)
    } finally {
      await agent.stop()
    }
    const { accounts, events, lost } = agent.runtime.ledger
    return { accounts, events, lost, log: lines }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
