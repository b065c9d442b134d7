/**
 * One component in a process of its own, for `test/contract.test.ts`: opened, used, closed twice.
 * Prints a line for each step. The process must then end by itself: a handle that stays open keeps
 * it.
 */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import type {
  Batch,
  Columns,
  ExporterDefinition,
  Host,
  ProcessorDefinition,
  Receiver,
  ReceiverDefinition,
  SeriesBatch,
} from '../../core/index.ts'
import {
  BatchWriter,
  BranchSeries,
  defineReceiver,
  isEnvironmentError,
  SERIES_COLUMNS,
  SERIES_TABLE,
  SeriesStore,
} from '../../core/index.ts'
import { emittedBy, neededBy } from '../../core/plan_tables.ts'
import { allComponents, configure, flowRows, yamlOf } from './contract.ts'
import { testHost } from './host.ts'
import { until } from './until.ts'

const [kind, type, folder] = process.argv.slice(2)
const component = (await allComponents()).find(c => c.kind === kind && c.type === type)
assert.ok(component)
const { config, messages } = configure(component, yamlOf(type, folder))
assert.ok(config, messages.join('\n'))
const settings: Readonly<Record<string, unknown>> = config
const host = testHost({ id: type, folder: component.folder, receiver: async () => ticks })

/** What the tape of `makeFolder` was recorded from. */
const ticks = defineReceiver({
  summary: 'Five ticks',
  stability: 'stable',
  config: {},
  emits: { time_us: 'number' },
  open: (_, { tape }: Host): Receiver => ({
    read() {
      const answer = tape?.next('tick')
      if (!answer) return null
      const writer = new BatchWriter('ticks', { time_us: 'number' }, 1)
      writer.data.time_us[0] = answer[0]
      writer.length = 1
      return writer.done()
    },
    close() {},
  }),
}) as unknown as ReceiverDefinition

const { definition } = component
try {
  if (definition.kind === 'receiver') await useReceiver(definition)
  if (definition.kind === 'processor') await useFeed(definition)
  if (definition.kind === 'exporter') await useExporter(definition)
  console.log('closed')
} catch (error) {
  if (!isEnvironmentError(error)) throw error
  console.log(`lacks: ${error.message}`)
}

async function useReceiver(receiver: ReceiverDefinition): Promise<void> {
  const tables = emittedBy(receiver, type, settings)
  await closeWhileItOpens(receiver)
  const opened = await receiver.open(settings as never, host)
  const packets = createSocket('udp4')
  await new Promise<void>(bound => packets.bind(0, '127.0.0.1', bound))
  let rows = 0
  const check = (batch: Batch | null): void => {
    if (batch === null) return
    assert.deepEqual(batch.columns, tables[batch.table], `columns of ${batch.table}`)
    assert.ok(batch.length >= 1 && batch.length <= 1, `${batch.length} rows where 1 was asked for`)
    rows += batch.length
  }
  await until('a row', () => {
    packets.send('hello', packets.address().port, '127.0.0.1')
    check(opened.read(1))
    return rows > 0
  })
  packets.close()
  opened.finish?.()
  for (let i = 0; i < 1000; i++) check(opened.read(1))
  await opened.close()
  await opened.close()
}

/** The agent may be told to stop before `open` ended. */
async function closeWhileItOpens(receiver: ReceiverDefinition): Promise<void> {
  const stopping = testHost({ id: type, folder: component!.folder, receiver: async () => ticks })
  const opening = receiver.open(settings as never, stopping)
  stopping.stop()
  await (await opening).close()
}

async function useFeed(processor: ProcessorDefinition): Promise<void> {
  const feed = processor.feed?.(settings as never, host)
  if (!feed) return
  let sent = 0
  await feed.start(buffer => {
    assert.ok(buffer instanceof ArrayBuffer)
    sent++
  })
  await until('the first update', () => sent > 0)
  assert.ok(feed.snapshot() instanceof ArrayBuffer)
  await feed.close()
  await feed.close()
}

async function useExporter(exporter: ExporterDefinition): Promise<void> {
  const needs = neededBy(exporter, settings)
  const opened = await exporter.open(settings as never, host)
  const write = async (): Promise<string> => {
    const { batch, series } = takes(needs, flowRows(1, 1, 0).columns) ? flows() : oneSeries()
    const signal = AbortSignal.timeout(5000)
    try {
      await opened.write(batch, { signal, series })
      return 'accepted'
    } catch (error) {
      return (error as Error).name
    }
  }
  assert.match(await write(), /^(accepted|RetryableError|PermanentError)$/)
  await opened.close()
  await opened.close()
  assert.match(await write(), /Error$/, 'a write after close')
}

function takes(needs: readonly Columns[], columns: Columns): boolean {
  return needs.some(wanted => Object.keys(wanted).every(name => wanted[name] === columns[name]))
}

function flows() {
  return { batch: flowRows(100, 1, 0), series: undefined }
}

function oneSeries() {
  const store = new SeriesStore(1)
  const counter = {
    name: 'a',
    description: 'A.',
    unit: '1',
    type: 'counter',
    labels: ['b'],
  } as const
  const born = { bornIds: [0], bornMetrics: [0], bornLabels: ['c'] }
  store.apply({ dictionary: 1, metrics: [counter], ...born, gone: [] })
  const writer = new BatchWriter(SERIES_TABLE, SERIES_COLUMNS, 1)
  writer.data.value[0] = 7
  writer.length = 1
  writer.dictionary = 1
  const batch = writer.done() as SeriesBatch
  const series = new BranchSeries(store)
  store.update(batch)
  series.mark(batch)
  return { batch, series }
}
