/**
 * Behaviour of processors as folders: `config.yaml`, `input.txt`, `expected.txt`; the folder's name
 * is the sentence that it proves. The configuration goes through core's real plan and the stages
 * through the very graph that a worker runs, in this thread. UPDATE=1 writes what came out as what
 * is expected.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../core/config/load.ts'
import type { Batch, SeriesBatch, Tables } from '../core/index.ts'
import {
  ConfigError,
  defineExporter,
  defineReceiver,
  packBatch,
  SERIES_TABLE,
  SeriesStore,
  unpackBatch,
} from '../core/index.ts'
import { makePlan } from '../core/plan.ts'
import type { Plan } from '../core/plan_types.ts'
import type { Component, ComponentKind, Registry } from '../core/registry.ts'
import { createRegistry } from '../core/registry.ts'
import { noRows, type Task, type TaskResult } from '../core/runtime/messages.ts'
import { DictionaryNumbers, Routes } from '../core/runtime/routes.ts'
import { StageGraph } from '../core/runtime/stages.ts'
import { aligned, formatBatch, formatSeries, parseSteps, type Step } from './harness/rows.ts'

const root = fileURLToPath(new URL('./pipelines/', import.meta.url))
const folders = readdirSync(root, { withFileTypes: true }).filter(entry => entry.isDirectory())

describe('pipelines', () => {
  for (const { name } of folders) {
    test(name.replaceAll('_', ' '), async () => {
      const folder = join(root, name)
      const input = parseSteps(readFileSync(join(folder, 'input.txt'), 'utf8'))
      const output = await runFolder(folder, input)
      const file = join(folder, 'expected.txt')
      if (process.env.UPDATE === '1') writeFileSync(file, output)
      assert.ok(existsSync(file), 'expected.txt is missing: run with UPDATE=1 and read it')
      assert.equal(output, readFileSync(file, 'utf8'))
    })
  }
})

async function runFolder(folder: string, steps: readonly Step[]): Promise<string> {
  const plan = await planOf(folder, steps)
  if (typeof plan === 'string') return plan
  const pipelines = new Run(plan)
  const blocks = pipelines.run(steps)
  return `${[...blocks, pipelines.ledger()].join('\n\n')}\n`
}

/** The plan, or what is wrong with the configuration: that may be what a folder is about. */
async function planOf(folder: string, steps: readonly Step[]): Promise<Plan | string> {
  const tables: Record<string, Tables[string]> = {}
  for (const step of steps) if (step.step === 'rows') tables[step.batch.table] = step.batch.columns
  try {
    const tree = loadConfig({ files: ['config.yaml'], cwd: folder, env: {} })
    return await makePlan(tree, await testRegistry(tables))
  } catch (error) {
    if (error instanceof ConfigError) return `${error.message}\n`
    throw error
  }
}

/** Our own processors between a receiver `input` and an exporter `output`. */
async function testRegistry(tables: Tables): Promise<Registry> {
  const builtIn = await createRegistry()
  const input = defineReceiver({
    summary: 'The rows of input.txt',
    stability: 'stable',
    config: {},
    emits: tables,
    open: () => ({ read: () => null, close() {} }),
  })
  const output = defineExporter({
    summary: 'What expected.txt shows',
    stability: 'stable',
    config: {},
    needs: {},
    open: () => ({ write() {}, close() {} }),
  })
  const own = new Map<string, Component>()
  for (const definition of [input, output]) {
    const type = definition === input ? 'input' : 'output'
    const place = { folder: root, source: 'test' }
    own.set(definition.kind, { kind: definition.kind, type, definition, ...place } as Component)
  }
  return {
    plugins: [],
    types: kind => [own.get(kind)?.type ?? builtIn.types(kind)].flat(),
    async load<K extends ComponentKind>(kind: K, type: string) {
      const component = own.get(kind)
      return component?.type === type
        ? (component as unknown as Component<K>)
        : builtIn.load(kind, type)
    },
  }
}

class Run {
  readonly #graph: StageGraph
  readonly #sources: readonly string[]
  readonly #several: boolean
  readonly #stores = new Map<number, SeriesStore>()
  readonly #rows = new Map<string, Record<string, number>>()
  readonly #events = new Map<string, number>()

  constructor(plan: Plan) {
    const definition = new Routes(plan, new DictionaryNumbers()).workers().get('default')
    assert.ok(definition, 'the configuration has no processor')
    const definitions = new Map(plan.processors.map(({ type, definition }) => [type, definition]))
    this.#graph = new StageGraph(definition, definitions)
    this.#sources = plan.pipelines.filter(p => p.receivers.length > 0).map(p => p.name)
    this.#several = plan.pipelines.filter(p => p.exporters.length > 0).length > 1
  }

  run(steps: readonly Step[]): string[] {
    const blocks: string[] = []
    let waiting: Batch[] = []
    for (const step of steps) {
      if (step.step === 'rows') {
        waiting.push(step.batch)
        continue
      }
      const final = step.step === 'end'
      const inputs = waiting.map(batch => ({
        pipelines: [...this.#sources],
        batch: packBatch(batch, true),
      }))
      const task: Task = { nowMs: step.nowMs, final, updates: [], released: [], inputs }
      waiting = []
      blocks.push(`${step.step} ${step.nowMs}`, ...this.#read(this.#graph.run(task)))
    }
    assert.deepEqual(waiting, [], 'rows after the last tick go nowhere')
    return blocks
  }

  #read(result: TaskResult): string[] {
    for (const news of result.news) {
      const store = this.#stores.get(news.dictionary) ?? new SeriesStore(news.dictionary)
      this.#stores.set(news.dictionary, store)
      store.apply(news)
    }
    for (const { pipeline, id, rows } of result.rows) this.#add(`${pipeline} ${id}`, rows)
    for (const { id, name, n } of result.events) {
      this.#events.set(`${id} ${name}`, (this.#events.get(`${id} ${name}`) ?? 0) + n)
    }
    assert.deepEqual(
      result.logs.filter(({ level }) => level === 'error').map(({ message }) => message),
      [],
    )
    return result.outputs.map(({ pipelines, batch }) => {
      const unpacked = unpackBatch(batch)
      const prefix = this.#several ? `${pipelines.join(', ')}: ` : ''
      const store = this.#stores.get(unpacked.dictionary)
      if (unpacked.table !== SERIES_TABLE || !store) return prefix + formatBatch(unpacked)
      return prefix + formatSeries(unpacked as SeriesBatch, store)
    })
  }

  /** What each stage did with its rows, after checking that none is unaccounted for. */
  #add(stage: string, rows: Readonly<Record<string, number>>): void {
    const sum: Record<string, number> = this.#rows.get(stage) ?? noRows()
    this.#rows.set(stage, sum)
    for (const [outcome, n] of Object.entries(rows)) {
      sum[outcome] = outcome === 'held' ? n : sum[outcome] + n
    }
    const { in: given, created, out, filtered, folded, held, failed } = sum
    assert.equal(given + created, out + filtered + folded + held + failed, `ledger of ${stage}`)
  }

  ledger(): string {
    const outcomes = ['in', 'created', 'out', 'filtered', 'folded', 'held', 'failed']
    const lines = [...this.#rows].map(([stage, rows]) => {
      return [...stage.split(' '), ...outcomes.map(outcome => String(rows[outcome]))]
    })
    const events = [...this.#events].map(([name, n]) => `${name} ${n}`)
    return ['ledger', aligned([['pipeline', 'stage', ...outcomes], ...lines]), ...events].join('\n')
  }
}
