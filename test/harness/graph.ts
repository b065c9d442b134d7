/**
 * Runs a whole agent from a YAML text over the faulty plugin, in this process, and gives back its books.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Agent } from '../../core/agent.ts'
import { loadPlan } from '../../core/commands/plan_files.ts'
import type { Account } from '../../core/runtime/ledger.ts'
import { silent } from './log.ts'

export interface Graph {
  /** Configuration without `plugins`; `DIE` stands for the path of a file that a stage takes as the word to die. */
  readonly yaml: string
}

export interface Books {
  readonly accounts: readonly Account[]
  readonly events: ReadonlyMap<string, number>
  readonly lost: ReadonlyMap<string, number>
}

const PLUGIN = fileURLToPath(new URL('./faulty_plugin.ts', import.meta.url))

/** Starts an agent in this process. `during` runs while it does; without it the agent runs until all receivers ended. */
export async function runGraph(
  graph: Graph,
  during?: (agent: Agent) => Promise<void>,
): Promise<Books> {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-graph-'))
  try {
    const die = join(folder, 'die')
    writeFileSync(die, '')
    const file = join(folder, 'agent.yaml')
    writeFileSync(file, `plugins: [${PLUGIN}]\n${graph.yaml.replaceAll('DIE', die)}\n`)
    const plan = await loadPlan([file])
    const agent = new Agent(plan, { log: silent, signals: false })
    try {
      await agent.start()
      await (during ? during(agent) : agent.ended)
    } finally {
      await agent.stop()
    }
    const { accounts, events, lost } = agent.runtime.ledger
    return { accounts, events, lost }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
