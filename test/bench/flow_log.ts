/**
 * What a line of the flow log costs, against building an object for the row and JSON.stringify.
 * Both write the same lines; the reference is what a straightforward exporter would do.
 */
import type { Batch } from '../../core/index.ts'
import { addressText } from '../../exporters/address.ts'
import { RowEncoder } from '../../exporters/flow_log/encode.ts'
import { batchOf } from '../harness/flow_batch.ts'
import type { Figure } from './figure.ts'

const ROWS = 8192
const ROUNDS = 15
const COLUMNS = {
  time_us: 'number',
  start_us: 'number',
  source_address: 'address',
  destination_address: 'address',
  interface: 'u32',
  packets: 'number',
  bytes: 'number',
  syn: 'u32',
  rtt_us: 'u32',
  source_port: 'u16',
  destination_port: 'u16',
  tcp_flags: 'u16',
  protocol: 'u8',
  direction: 'u8',
  flow_state: 'u8',
  source_namespace: 'text',
  source_pod: 'text',
  destination_namespace: 'text',
  destination_pod: 'text',
} as const

/** Nanoseconds a row of a flow with names on both ends. */
export function flowLogRows(): Figure[] {
  const batch = flows()
  const encoder = new RowEncoder(false)
  const ours = nanosPerRow(() => {
    encoder.begin(batch)
    while (encoder.encode());
  })
  const reference = nanosPerRow(() => stringified(batch))
  const ratio = ours / reference
  return [{ name: 'flow_log line', value: ours, unit: 'ns/row', ratio, goal: 0.25 }]
}

function flows(): Batch {
  const rows = Array.from({ length: ROWS }, (_, i) => ({
    time_us: 1_760_000_000_000_000 + 977 * i,
    start_us: 1_759_999_999_000_000 + i,
    source_address: `10.1.${i >> 8}.${i & 255}`,
    destination_address: i % 4 ? `10.2.0.${i % 200}` : `2001:db8::${(i % 200).toString(16)}`,
    interface: 12,
    packets: i,
    bytes: 1400 * i,
    syn: 1,
    rtt_us: 250,
    source_port: 32768 + i,
    destination_port: 443,
    tcp_flags: 24,
    protocol: 6,
    direction: 1,
    flow_state: 2,
    source_namespace: 'shop',
    source_pod: `web-6d5f7c9b8-${i % 500}`,
    destination_namespace: 'data',
    destination_pod: `db-${i % 200}`,
  }))
  return batchOf('flows', COLUMNS, rows)
}

function stringified(batch: Batch): Buffer {
  const lines: string[] = []
  for (let row = 0; row < batch.length; row++) {
    const line: Record<string, unknown> = {
      time: new Date((batch.data.time_us as Float64Array)[row] / 1000).toISOString(),
      table: batch.table,
    }
    for (const [name, kind] of Object.entries(batch.columns)) {
      const column = batch.data[name] as Uint8Array
      if (kind === 'address') line[name] = addressText(column, 16 * row)
      else line[name] = kind === 'text' ? batch.text[column[row]] : column[row]
    }
    lines.push(JSON.stringify(line))
  }
  return Buffer.from(`${lines.join('\n')}\n`)
}

function nanosPerRow(run: () => unknown): number {
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint()
    run()
    rounds.push(Number(process.hrtime.bigint() - start) / ROWS)
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1]
}

if (import.meta.main) console.table(flowLogRows())
