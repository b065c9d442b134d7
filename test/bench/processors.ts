/**
 * What the processors cost a row, each beside the way that first comes to mind: closures per node
 * of an expression, a Map with string keys and objects. Batches and rows are those of the default
 * configuration.
 */
import type { Batch, Columns, ProcessorDefinition } from '../../core/index.ts'
import { Group } from '../../processors/aggregate/group.ts'
import { groupKernels, groupMetrics } from '../../processors/aggregate/groups.ts'
import aggregate from '../../processors/aggregate/index.ts'
import { resolveMetrics } from '../../processors/aggregate/metrics.ts'
import filter from '../../processors/filter/index.ts'
import flowRecords from '../../processors/flow_records/index.ts'
import { TextIds } from '../../processors/texts.ts'
import { batchOf } from '../harness/flow_batch.ts'
import { openStage } from '../harness/stage.ts'
import type { Figure } from './figure.ts'

const ROWS = 4096

const columns = {
  time_us: 'number',
  start_us: 'number',
  source_address: 'address',
  destination_address: 'address',
  source_port: 'u16',
  destination_port: 'u16',
  protocol: 'u8',
  direction: 'u8',
  interface: 'u32',
  packets: 'number',
  bytes: 'number',
  duplicate: 'u8',
  syn: 'u32',
  syn_ack: 'u32',
  fin: 'u32',
  rst: 'u32',
  urg: 'u32',
  ece: 'u32',
  cwr: 'u32',
  flow_starts: 'u8',
  tcp_flags: 'u16',
  flow_state: 'u8',
  handshake_us: 'u32',
  rtt_us: 'u32',
  retransmits: 'u32',
  source_workload: 'text',
  destination_workload: 'text',
} as const satisfies Columns
type FlowBatch = Batch<typeof columns>

/** `flows` different flows in batches of ROWS. */
function flowBatches(flows: number): FlowBatch[] {
  const batches: FlowBatch[] = []
  for (let from = 0; from < flows; from += ROWS) {
    const rows = Array.from({ length: Math.min(ROWS, flows - from) }, (_, i) => flow(from + i))
    batches.push(batchOf('flows', columns, rows))
  }
  return batches
}

function flow(i: number) {
  const tcp = i % 4 !== 0
  return {
    time_us: 1_000_000 + i,
    start_us: 1_000_000,
    source_address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
    destination_address: `10.200.0.${i % 50}`,
    source_port: 32768 + (i % 28000),
    destination_port: 443,
    protocol: tcp ? 6 : 17,
    direction: 1 + (i % 2),
    interface: i % 40,
    packets: 3 + (i % 100),
    bytes: 1000 + i,
    flow_starts: i % 2,
    tcp_flags: tcp ? 18 : 0,
    flow_state: 2,
    handshake_us: tcp && i % 10 === 1 ? 400 : 0,
    source_workload: `client-${i % 300}`,
    destination_workload: `server-${i % 50}`,
  }
}

/** Best nanoseconds a row of passing all batches; the best, because noise only adds. */
function time(batches: readonly Batch[], short: boolean, pass: (batch: Batch) => unknown): number {
  const rows = batches.reduce((sum, { length }) => sum + length, 0)
  const rounds = Math.ceil((short ? 400_000 : 4_000_000) / rows) + 5
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    for (const batch of batches) pass(batch)
    best = Math.min(best, performance.now() - start)
  }
  return (best * 1e6) / rows
}

function stageOf(definition: unknown, options: object) {
  const stage = openStage(
    definition as ProcessorDefinition,
    { flows: columns },
    JSON.stringify(options),
  )
  return (batch: Batch) => stage.put(batch)
}

export function processorRows(short: boolean): readonly Figure[] {
  return [...filterRows(short), ...aggregateRows(short), flowRecordsRow(short), memoryRow()]
}

function filterRows(short: boolean): Figure[] {
  const batches = flowBatches(ROWS)
  const none = 'protocol == 6 && bytes > 1e9 || destination_workload == "nobody"'
  const half = 'direction == 1'
  const composed = composedFilter()
  return [
    figure('filter, nothing passes', {
      value: time(batches, short, stageOf(filter, { where: none })),
      reference: time(batches, short, batch => composed(batch as FlowBatch)),
      goal: 0.5,
      note: 'the reference is the same expression as closures composed by node',
    }),
    figure('filter, half of 27 columns copied', {
      value: time(batches, short, stageOf(filter, { where: half })),
    }),
  ]
}

type Test = (row: number) => boolean

/** What an interpreter of the tree would build. */
function composedFilter(): (batch: FlowBatch) => number {
  type Value = (row: number) => number
  const cell =
    (array: ArrayLike<number>): Value =>
    row =>
      array[row]
  const constant =
    (value: number): Value =>
    () =>
      value
  const equal =
    (a: Value, b: Value): Test =>
    row =>
      a(row) === b(row)
  const above =
    (a: Value, b: Value): Test =>
    row =>
      a(row) > b(row)
  const and =
    (a: Test, b: Test): Test =>
    row =>
      a(row) && b(row)
  const or =
    (a: Test, b: Test): Test =>
    row =>
      a(row) || b(row)
  return ({ data, text, length }) => {
    const tcp = equal(cell(data.protocol), constant(6))
    const big = above(cell(data.bytes), constant(1e9))
    const nobody = constant(text.indexOf('nobody'))
    const test = or(and(tcp, big), equal(cell(data.destination_workload), nobody))
    let kept = 0
    for (let row = 0; row < length; row++) if (test(row)) kept++
    return kept
  }
}

function aggregateRows(short: boolean): Figure[] {
  const tuple = ['source_address', 'source_port', 'destination_address', 'interface']
  const byTuple = { name: 'flow.bytes', from: 'flows', type: 'counter', value: 'bytes', by: tuple }
  const options = { preset: [], metrics: [byTuple], series_max: 1e6 }
  const few = flowBatches(ROWS)
  const figures = [
    figure('aggregate, preset otel', {
      value: time(few, short, stageOf(aggregate, {})),
      reference: time(few, short, mapOfLabels()),
      goal: 0.3,
      note: 'five metrics, 12 values a row; the reference is a Map by string key of objects',
    }),
  ]
  for (const series of [10_000, 100_000]) {
    const batches = flowBatches(series)
    figures.push(
      figure(`aggregate, ${series / 1000}k series of 4 labels`, {
        value: time(batches, short, stageOf(aggregate, options)),
        reference: time(batches, short, mapOfTuples()),
        goal: 0.3,
      }),
    )
  }
  const by = ['source_workload', 'destination_workload']
  const metrics = [{ name: 'w', from: 'flows', type: 'counter', value: 'bytes', by }]
  figures.push(
    figure('aggregate, by two text columns', {
      value: time(few, short, stageOf(aggregate, { preset: [], metrics })),
    }),
  )
  return figures
}

/** The preset's metrics in the plainest way. */
function mapOfLabels(): (batch: Batch) => void {
  const sums = new Map<string, Record<string, number>>()
  const names = ['packets', 'bytes', 'flow_starts'] as const
  const flags = ['syn', 'syn_ack', 'fin', 'rst', 'urg', 'ece', 'cwr'] as const
  return batch => {
    const { data, length } = batch as FlowBatch
    for (let row = 0; row < length; row++) {
      if (data.duplicate[row] !== 0) continue
      const family = data.source_address[16 * row + 10] === 255 ? 'ipv4' : 'ipv6'
      const key = `${data.protocol[row]}|${family}|${data.direction[row]}`
      let sum = sums.get(key)
      if (!sum) {
        sum = Object.fromEntries([...names, ...flags].map(name => [name, 0]))
        sums.set(key, sum)
      }
      for (const name of names) sum[name] += data[name][row]
      for (const name of flags) sum[name] += data[name][row]
    }
  }
}

function tupleKey({ data }: FlowBatch, row: number): string {
  const address = (bytes: Uint8Array) => bytes.subarray(16 * row + 12, 16 * row + 16).join('.')
  const source = `${address(data.source_address)}:${data.source_port[row]}`
  return `${source}>${address(data.destination_address)}:${data.interface[row]}`
}

function mapOfTuples(): (batch: Batch) => void {
  const sums = new Map<string, { bytes: number }>()
  return batch => {
    const { data, length } = batch as FlowBatch
    for (let row = 0; row < length; row++) {
      const key = tupleKey(batch as FlowBatch, row)
      const sum = sums.get(key)
      if (sum) sum.bytes += data.bytes[row]
      else sums.set(key, { bytes: data.bytes[row] })
    }
  }
}

function flowRecordsRow(short: boolean): Figure {
  const batches = flowBatches(10_000)
  const open = new Map<string, Record<string, number>>()
  const reference = time(batches, short, batch => {
    const { data, length } = batch as FlowBatch
    for (let row = 0; row < length; row++) {
      const key = tupleKey(batch as FlowBatch, row)
      let record = open.get(key)
      if (!record) {
        record = { packets: 0, bytes: 0, syn: 0, fin: 0, rst: 0, flow_starts: 0, tcp_flags: 0 }
        open.set(key, record)
      }
      record.packets += data.packets[row]
      record.bytes += data.bytes[row]
      record.syn += data.syn[row]
      record.fin += data.fin[row]
      record.rst += data.rst[row]
      record.flow_starts += data.flow_starts[row]
      record.tcp_flags |= data.tcp_flags[row]
    }
  })
  return figure('flow_records, 10k open flows', {
    value: time(batches, short, stageOf(flowRecords, {})),
    reference,
    goal: 0.3,
    note: '27 columns; the reference is a Map by string key that folds 7 of them',
  })
}

/** Counted from the arrays, because the collector gives buffers back when it likes. */
function memoryRow(): Figure {
  const by = ['source_address', 'source_port', 'destination_address', 'interface']
  const metric = { name: 'flow.bytes', from: 'flows', type: 'counter', value: 'bytes', by }
  const limits = { interval: 1, idle_expiry: 0, series_max: 1e6 }
  const [plan] = groupMetrics(resolveMetrics({ preset: [], metrics: [metric], ...limits }))
  const group = new Group(plan, groupKernels(plan, columns).codecs)
  const words = new Uint32Array(group.table.width)
  for (let i = 0; i < 100_000; i++) {
    words[0] = i
    group.add(words, 0, i, 0, new TextIds())
  }
  const state = [...Object.values(group), ...Object.values(group.table)]
  const bytes = state.reduce((sum, x) => sum + (ArrayBuffer.isView(x) ? x.byteLength : 0), 0)
  const note = "core's store takes as much again; label texts are shared and come on top"
  const value = bytes / group.series
  return { name: 'aggregate, state of one of 100k series', value, unit: 'B', limit: 300, note }
}

interface Measured {
  readonly value: number
  readonly reference?: number
  readonly goal?: number
  readonly note?: string
}

function figure(name: string, { value, reference, goal, note }: Measured): Figure {
  const ratio = reference === undefined ? {} : { ratio: value / reference }
  return { name, value, unit: 'ns/row', ...ratio, ...(goal && { goal }), ...(note && { note }) }
}
