/**
 * Series live outside the queues: whatever a branch loses, whenever it comes, whatever happens to
 * the worker, it ends with the newest value of every series.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { BatchWriter } from '../../core/batch.ts'
import {
  BranchSeries,
  type MetricDefinition,
  SERIES_COLUMNS,
  SERIES_TABLE,
  type SeriesNews,
  SeriesStore,
} from '../../core/series.ts'
import { collected } from '../harness/collected.ts'
import { planOf, runGraph } from '../harness/graph.ts'
import { until } from '../harness/until.ts'

const counter: MetricDefinition = {
  name: 'test.packets',
  description: 'Packets.',
  unit: '{packet}',
  type: 'counter',
  labels: ['name'],
}

function news(born: readonly [number, string][], gone: readonly number[] = []): SeriesNews {
  return {
    dictionary: 1,
    metrics: [counter],
    bornIds: born.map(([id]) => id),
    bornMetrics: born.map(() => 0),
    bornLabels: born.map(([, label]) => label),
    gone,
  }
}

function values(rows: readonly [number, number][]) {
  const writer = new BatchWriter(SERIES_TABLE, SERIES_COLUMNS, rows.length)
  writer.dictionary = 1
  for (const [series, value] of rows) {
    const at = writer.length++
    writer.data.series[at] = series
    writer.data.value[at] = value
  }
  return writer.done()
}

test('a view shows only the series that came down its pipeline, with their newest values', () => {
  const store = new SeriesStore(1)
  const narrow = new BranchSeries(store)
  store.apply(
    news([
      [0, 'a'],
      [1, 'b'],
    ]),
  )
  store.update(
    values([
      [0, 5],
      [1, 7],
    ]),
  )
  narrow.mark(values([[1, 7]]))
  assert.equal(narrow.has(0), false)
  assert.equal(narrow.has(1), true)
  store.update(values([[1, 9]]))
  assert.equal(narrow.value(1, 0), 9)
  assert.equal(narrow.label(1, 0), 'b')
})

test('an id that is used again is another series: nothing of the old one shows', () => {
  const store = new SeriesStore(1)
  const view = new BranchSeries(store)
  store.apply(news([[0, 'old']]))
  store.update(values([[0, 5]]))
  view.mark(values([[0, 5]]))
  const generation = view.generationOf(0)
  store.apply(news([], [0]))
  assert.equal(view.has(0), false)
  store.apply(news([[0, 'new']]))
  store.update(values([[0, 1]]))
  assert.equal(view.has(0), false, 'the new series has not come down this pipeline yet')
  view.mark(values([[0, 1]]))
  assert.equal(view.has(0), true)
  assert.equal(view.label(0, 0), 'new')
  assert.equal(view.value(0, 0), 1)
  assert.notEqual(view.generationOf(0), generation)
})

test('a restarted dictionary forgets all, and views notice by the epoch', () => {
  const store = new SeriesStore(1)
  const view = new BranchSeries(store)
  store.apply(news([[0, 'a']]))
  store.update(values([[0, 5]]))
  view.mark(values([[0, 5]]))
  store.restart()
  assert.equal(view.idsEnd, 0)
  assert.equal(view.has(0), false)
  assert.equal(view.epoch, 1)
})

test('labels and values of ten thousand births and ends do not pile up', () => {
  const store = new SeriesStore(1)
  for (let round = 0; round < 10_000; round++) {
    store.apply(news([[round % 3, `pod ${round}`]]))
    store.apply(news([], [round % 3]))
  }
  assert.equal(store.idsEnd, 3)
  store.apply(news([[0, 'last']]))
  assert.equal(store.label(0, 0), 'last')
})

beforeEach(() => collected.clear())

/** Sums of the test receiver's rows by name, `rows` in all. */
function expected(rows: number): Map<string, number> {
  const sums = new Map<string, number>()
  for (let number = 0; number < rows; number++) {
    const name = `name ${number % 3}`
    sums.set(name, (sums.get(name) ?? 0) + (number % 7) + 1)
  }
  return new Map([...sums].sort())
}
const sorted = (map: ReadonlyMap<string, number> | undefined) => new Map([...(map ?? [])].sort())

const graph = (more: string, exporters: string, processors = 'test_series') => `
receivers: { test_counter: { batches: 30, rows: 10, each: 1 } }
processors: { test_series: {}, test_stumble: { share: 0, die: DIE } }
exporters: { test_collect/a: { permanent: 0.5, seed: 7 }${more} }
service:
  telemetry: { endpoint: "" }
  pipelines:
    p: { receivers: [test_counter], processors: [${processors}], exporters: [${exporters}] }
`

test('a branch that loses batches and one that joins late end with the newest values', async () => {
  const late = graph(', test_collect/late: {}', 'test_collect/a, test_collect/late')
  await runGraph({ yaml: graph('', 'test_collect/a') }, async (agent, folder) => {
    await until('the first series arrive', () => (collected.get('test_collect/a')?.rows ?? 0) > 0)
    await agent.runtime.reload(await planOf(late, folder))
    await agent.ended
  })
  assert.deepEqual(sorted(collected.get('test_collect/late')?.series), expected(300))
  assert.deepEqual(sorted(collected.get('test_collect/a')?.series), expected(300))
})

test('a worker that dies starts anew; its rows count as failed', async () => {
  const yaml = graph('', 'test_collect/a', 'test_stumble, test_series').replace(
    'permanent: 0.5, ',
    '',
  )
  const { accounts, events } = await runGraph({ yaml }, async (agent, folder) => {
    await until('the first series arrive', () => (collected.get('test_collect/a')?.rows ?? 0) > 0)
    writeFileSync(join(folder, 'die'), '')
    await agent.ended
  })
  assert.equal(events.get('worker/default\nrestarts'), 2, 'once at the start, once by the file')
  const stumble = accounts.find(({ component }) => component === 'test_stumble')
  const series = accounts.find(({ component }) => component === 'test_series')
  assert.ok(stumble && series)
  assert.equal(stumble.rows.in, 300)
  assert.equal(stumble.rows.in, stumble.rows.out + stumble.rows.failed)
  assert.equal(series.rows.in, series.rows.folded)
  const sums = collected.get('test_collect/a')?.series
  assert.deepEqual([...(sums?.keys() ?? [])].sort(), ['name 0', 'name 1', 'name 2'])
})
