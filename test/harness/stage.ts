/**
 * One processor on its own, with core's real configuration check and series store around it, and
 * the ledger checked after every step: in = out + filtered + folded + held, where `created` rows
 * count as in.
 */
import assert from 'node:assert/strict'
import { validate } from '../../core/config/validate.ts'
import { parseValue } from '../../core/config/yaml.ts'
import type { Batch, ProcessorDefinition, SeriesBatch, Tables } from '../../core/index.ts'
import { SERIES_TABLE, SeriesStore, slotsOf } from '../../core/index.ts'
import { SeriesRecorder } from '../../core/runtime/series_recorder.ts'
import { type TestHost, testHost } from './host.ts'

export interface SeriesLine {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** By slot. */
  readonly values: readonly number[]
  readonly startUs: number
  readonly timeUs: number
}

export interface TestStage {
  readonly host: TestHost
  /** Tables that the stage puts out, by what `plan` says. */
  readonly tablesOut: Tables
  readonly store: SeriesStore
  readonly recorder: SeriesRecorder
  put(batch: Batch): Batch[]
  tick(nowMs: number, final?: boolean): Batch[]
  held(): number
  /** All series that have a value, in order of their ids. */
  series(): SeriesLine[]
}

/** The configuration as the component receives it. @throws AssertionError with core's messages. */
export function configOf<S extends ProcessorDefinition['config']>(
  definition: { readonly config: S },
  yaml: string,
): Readonly<Record<string, unknown>> {
  const at = { file: 'test.yaml', line: 1, column: 1, folder: '/' }
  const node = parseValue(yaml === '' ? '{}' : yaml, at)
  assert.ok(node, `not YAML: ${yaml}`)
  const { config, problems } = validate(node, definition.config, '')
  assert.ok(config, problems.map(problem => `${problem.path}: ${problem.message}`).join('\n'))
  return config
}

export function openStage(definition: unknown, tables: Tables, yaml: string): TestStage {
  const processor = definition as ProcessorDefinition
  const config = configOf(processor, yaml)
  const host = testHost()
  const recorder = new SeriesRecorder(1)
  const store = new SeriesStore(1)
  let tablesOut: Tables = {}
  for (const [table, columns] of Object.entries(tables)) {
    tablesOut = { ...tablesOut, ...processor.plan({ [table]: columns }, config as never) }
  }
  const stage = processor.open(tables, config as never, { ...host, series: recorder })
  let rowsIn = 0
  let rowsOut = 0

  const account = (put: Batch | readonly Batch[] | null | undefined): Batch[] => {
    const batches = put ? (Array.isArray(put) ? [...put] : [put as Batch]) : []
    const news = recorder.take()
    if (news) store.apply(news)
    for (const batch of batches) {
      rowsOut += batch.length
      assert.deepEqual(batch.columns, tablesOut[batch.table], `columns of ${batch.table}`)
      if (batch.table === SERIES_TABLE) store.update(batch as SeriesBatch)
    }
    const { filtered = 0, folded = 0, created = 0 } = host.counts
    const held = stage.held?.() ?? 0
    assert.equal(rowsIn + created, rowsOut + filtered + folded + held, 'the ledger of rows')
    return batches
  }
  return {
    host,
    tablesOut,
    store,
    recorder,
    put(batch) {
      rowsIn += batch.length
      return account(stage.process(batch))
    },
    tick: (nowMs, final = false) => account(stage.tick?.(nowMs, final)),
    held: () => stage.held?.() ?? 0,
    series: () => seriesOf(store),
  }
}

export function seriesOf(store: SeriesStore): SeriesLine[] {
  const lines: SeriesLine[] = []
  for (let id = 0; id < store.idsEnd; id++) {
    if (!store.hasValue(id)) continue
    const metric = store.metrics[store.metricOf(id)]
    lines.push({
      name: metric.name,
      labels: Object.fromEntries(metric.labels.map((name, i) => [name, store.label(id, i)])),
      values: Array.from({ length: slotsOf(metric) }, (_, slot) => store.value(id, slot)),
      startUs: store.startUs(id),
      timeUs: store.timeUs(id),
    })
  }
  return lines
}
