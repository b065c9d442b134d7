/**
 * Flow records against a naive fold with objects, whatever the batches and ticks; nothing is lost.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Batch, Columns } from '../../core/index.ts'
import { ConfigError, MissingColumns } from '../../core/index.ts'
import { SeriesRecorder } from '../../core/runtime/series_recorder.ts'
import { formatAddress } from '../../processors/address.ts'
import flowRecords from '../../processors/flow_records/index.ts'
import { OpenFlows } from '../../processors/flow_records/stage.ts'
import { batchOf } from '../harness/flow_batch.ts'
import { testHost } from '../harness/host.ts'
import { openStage } from '../harness/stage.ts'

const columns = {
  time_us: 'number',
  start_us: 'number',
  packets: 'number',
  bytes: 'number',
  source_address: 'address',
  destination_address: 'address',
  translated_address: 'address',
  interface: 'u32',
  syn: 'u32',
  handshake_us: 'u32',
  rtt_us: 'u32',
  source_pod: 'text',
  source_port: 'u16',
  destination_port: 'u16',
  tcp_flags: 'u16',
  protocol: 'u8',
  direction: 'u8',
  duplicate: 'u8',
  flow_starts: 'u8',
  flow_state: 'u8',
  dscp: 'u8',
} as const satisfies Columns

type Row = Record<keyof typeof columns, number | string>

const row: fc.Arbitrary<Row> = fc.record({
  time_us: fc.integer({ min: 1, max: 1e6 }),
  start_us: fc.nat(1e6),
  packets: fc.nat(100),
  bytes: fc.nat(10_000),
  source_address: fc.constantFrom('10.1.2.3', '10.1.2.4'),
  destination_address: fc.constant('fd00::1'),
  translated_address: fc.constantFrom('::', '10.9.9.9', 'fd00::7'),
  interface: fc.constantFrom(1, 0xffffffff),
  syn: fc.nat(2),
  handshake_us: fc.nat(9),
  rtt_us: fc.nat(3),
  source_pod: fc.constantFrom('', 'a', 'b'),
  source_port: fc.constantFrom(0, 1, 0xffff),
  destination_port: fc.constantFrom(0, 1),
  tcp_flags: fc.nat(511),
  protocol: fc.constantFrom(6, 200),
  direction: fc.constantFrom(1, 2),
  duplicate: fc.constantFrom(0, 1),
  flow_starts: fc.nat(1),
  flow_state: fc.constantFrom(1, 2, 2, 2, 2, 2, 3, 4, 5, 6),
  dscp: fc.nat(2),
})

/** A few flows only, so that rows meet. */
const flows = fc.array(row, { minLength: 1, maxLength: 4 })
const course = flows.chain(some => {
  const changing = fc.tuple(fc.constantFrom(...some), row).map(([flow, other]): Row => {
    const key = Object.fromEntries(KEY.map(name => [name, flow[name]]))
    return { ...other, ...(key as Partial<Row>) }
  })
  return fc.array(fc.tuple(fc.array(changing, { maxLength: 12 }), fc.nat(70)), { maxLength: 10 })
})

const KEY = [
  'source_address',
  'destination_address',
  'interface',
  'source_port',
  'destination_port',
  'protocol',
  'direction',
  'duplicate',
] as const

interface Record_ {
  readonly row: Row
  readonly openedS: number
}

/** What comes out, one list of readable records, in no particular order within a step. */
function naive(
  steps: readonly (readonly [readonly Row[], number])[],
  flowsMax: number,
): string[][] {
  const open = new Map<string, Record_>()
  const out: string[][] = []
  let now = 1000
  for (const [rows, seconds] of steps) {
    const ended: string[] = []
    const put = (row: Row, reason: string) => ended.push(JSON.stringify({ ...row, reason }))
    for (const next of rows) {
      const key = JSON.stringify(KEY.map(name => next[name]))
      const found = open.get(key)
      const row = found ? joined(found.row, next) : { ...next }
      const state = Number(next.flow_state)
      const reason = state === 5 ? 'idle_timeout' : state >= 3 && state < 5 ? 'end_of_flow' : ''
      if (reason !== '') {
        open.delete(key)
        put(row, reason)
      } else if (found || open.size < flowsMax) {
        open.set(key, { row, openedS: found?.openedS ?? now })
      } else {
        put(row, 'lack_of_resources')
      }
    }
    out.push(ended.sort())
    now += seconds
    out.push(timeouts(open, now))
  }
  out.push(
    [...open.values()].map(({ row }) => JSON.stringify({ ...row, reason: 'forced_end' })).sort(),
  )
  return out
}

function timeouts(open: Map<string, Record_>, now: number): string[] {
  const due = [...open].filter(([, { openedS }]) => now - openedS >= 60)
  for (const [key] of due) open.delete(key)
  return due.map(([, { row }]) => JSON.stringify({ ...row, reason: 'active_timeout' })).sort()
}

function joined(a: Row, b: Row): Row {
  const n = (row: Row, name: keyof Row) => Number(row[name])
  const sum = (name: keyof Row) => n(a, name) + n(b, name)
  const known = (name: keyof Row, none: number | string) => (b[name] === none ? a[name] : b[name])
  const starts = [n(a, 'start_us'), n(b, 'start_us')].filter(us => us > 0)
  return {
    ...a,
    time_us: Math.max(n(a, 'time_us'), n(b, 'time_us')),
    start_us: starts.length > 0 ? Math.min(...starts) : 0,
    packets: sum('packets'),
    bytes: sum('bytes'),
    syn: sum('syn'),
    flow_starts: sum('flow_starts'),
    handshake_us: Math.max(n(a, 'handshake_us'), n(b, 'handshake_us')),
    tcp_flags: n(a, 'tcp_flags') | n(b, 'tcp_flags'),
    flow_state: b.flow_state,
    dscp: b.dscp,
    rtt_us: known('rtt_us', 0),
    source_pod: known('source_pod', ''),
    translated_address: known('translated_address', '::'),
  }
}

function read(batches: readonly Batch[]): string[] {
  const lines: string[] = []
  for (const { columns: kinds, data, text, length } of batches) {
    for (let i = 0; i < length; i++) {
      const cell = (name: string) => {
        const array = data[name] as Uint8Array
        if (kinds[name] === 'address') return formatAddress(array, 16 * i)
        return kinds[name] === 'text' ? text[array[i]] : array[i]
      }
      const names = Object.keys(columns)
      const row = Object.fromEntries(names.map(name => [name, cell(name)]))
      lines.push(JSON.stringify({ ...row, reason: cell('end_reason') }))
    }
  }
  return lines.sort()
}

/** Keys of the naive rows in the order of the columns. */
function inOrder(row: Row): Row {
  return Object.fromEntries(Object.keys(columns).map(name => [name, row[name as keyof Row]])) as Row
}

describe('flow_records', () => {
  test('every record is that of a naive fold, at the same moment', () => {
    fc.assert(
      fc.property(course, fc.constantFrom(1, 2, 65536), (steps, flowsMax) => {
        const ordered = steps.map(([rows, seconds]) => [rows.map(inOrder), seconds] as const)
        const stage = openStage(flowRecords, { flows: columns }, `flows_max: ${flowsMax}`)
        let nowMs = 1_000_000
        stage.tick(nowMs)
        const out: string[][] = []
        for (const [rows, seconds] of ordered) {
          out.push(read(stage.put(batchOf('flows', columns, rows))))
          nowMs += seconds * 1000
          out.push(read(stage.tick(nowMs)))
        }
        out.push(read(stage.tick(nowMs, true)))
        assert.deepEqual(out, naive(ordered, flowsMax))
      }),
      { numRuns: 300 },
    )
  })

  test('thousands of flows keep apart through growth, and come out in batches', () => {
    const stage = openStage(flowRecords, { flows: columns }, '')
    const rows = Array.from({ length: 5000 }, (_, i) => ({
      ...{ source_address: `10.1.${i >> 8}.${i & 255}`, packets: i, flow_state: 2 },
      source_pod: `pod-${i % 700}`,
    }))
    stage.put(batchOf('flows', columns, rows.slice(0, 3000)))
    stage.put(batchOf('flows', columns, rows))
    const records = read(stage.tick(1000, true)).map(line => JSON.parse(line) as Row)
    const byAddress = new Map(records.map(record => [record.source_address, record]))
    assert.equal(byAddress.size, 5000)
    rows.forEach(({ source_address, packets, source_pod }, i) => {
      const record = byAddress.get(source_address)
      assert.equal(record?.packets, i < 3000 ? 2 * packets : packets)
      assert.equal(record?.source_pod, source_pod)
    })
  })

  test('a record from before the first tick is as old as that tick', () => {
    const stage = openStage(flowRecords, { flows: columns }, '')
    stage.put(batchOf('flows', columns, [{ packets: 1 }]))
    assert.deepEqual(stage.tick(1_700_000_000_000), [])
    assert.deepEqual(stage.tick(1_700_000_059_999), [])
    assert.match(read(stage.tick(1_700_000_060_000))[0], /active_timeout/)
  })

  test('ended flows leave nothing behind: entries and texts are used again', () => {
    const open = new OpenFlows('flow_records', columns, 10, {
      ...testHost(),
      series: new SeriesRecorder(1),
    })
    for (let round = 0; round < 100; round++) {
      const flow = { source_port: round, source_pod: `pod-${round}` }
      const rows = [flow, { ...flow, source_pod: `late-${round}`, flow_state: round % 2 ? 3 : 2 }]
      open.process(batchOf('flows', columns, rows))
      open.tick(1 + round, 0, false)
      assert.equal(open.open, 0)
    }
    assert.equal(open.keys.end, 2, 'one entry served them all')
    open.texts.begin(['', 'x', 'y'])
    const ids = [open.texts.resolve(1) - 1, open.texts.resolve(2) - 1]
    assert.deepEqual(ids.sort(), [1, 2], 'the first ids are free again')
  })

  test('a narrow sum stops at its maximum and says so', () => {
    const stage = openStage(flowRecords, { flows: columns }, '')
    const starts = Array.from({ length: 300 }, () => ({ flow_starts: 1, flow_state: 1 }))
    stage.put(batchOf('flows', columns, starts))
    const [record] = read(stage.tick(1000, true)).map(line => JSON.parse(line) as Row)
    assert.equal(record.flow_starts, 255)
    assert.equal(stage.host.counts.saturated, 45)
  })

  test('tables keep their own records; names follow the table', () => {
    const tables = { flows: columns, windows_pktmon: columns }
    const stage = openStage(flowRecords, tables, '')
    stage.put(batchOf('flows', columns, [{ packets: 1 }]))
    stage.put(batchOf('windows_pktmon', columns, [{ packets: 2 }]))
    assert.deepEqual(
      stage.tick(1000, true).map(({ table, data }) => [table, (data.packets as Float64Array)[0]]),
      [
        ['flow_records', 1],
        ['windows_pktmon_records', 2],
      ],
    )
  })

  test('tables that are no flows pass untouched, raw bytes are refused', () => {
    const config = { active_timeout: 60_000, flows_max: 1 }
    const plan = (table: Columns) => () => flowRecords.plan({ flows: table }, config)
    const { flow_state: _, ...noState } = columns
    assert.throws(plan(noState), (error: unknown) => {
      return error instanceof MissingColumns && error.columns.join() === 'flow_state'
    })
    assert.throws(plan({ ...columns, end_reason: 'text' }), MissingColumns)
    assert.throws(plan({ ...columns, data: 'bytes' }), ConfigError)
  })
})
