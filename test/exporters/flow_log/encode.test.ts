/**
 * The line encoder against JavaScript's own: whatever it writes must parse to the values that were
 * in the batch, for every kind of column and for numbers and texts at their edges.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch } from '../../../core/index.ts'
import { RowEncoder } from '../../../exporters/flow_log/encode.ts'
import { batchOf, type Row } from '../../harness/flow_batch.ts'

function textOf(batch: Batch, encoder = new RowEncoder(false)): string {
  encoder.begin(batch)
  let text = ''
  while (encoder.encode()) text += Buffer.from(encoder.bytes).toString()
  return text
}
function parse(batch: Batch, encoder?: RowEncoder): Record<string, unknown>[] {
  const lines = textOf(batch, encoder).split('\n').slice(0, -1)
  return lines.map(line => JSON.parse(line))
}

test('numbers of every size are written as JSON writes them', () => {
  const values = [0, 1, 9, 10, 99, 12345678, 99999999, 1e8, 100000001, 2 ** 32, 1.7e15, 2 ** 53 - 1]
  values.push(-1, -1e8, -(2 ** 53) + 1, 2 ** 53, 1e21, 0.1, -2.5, 5e-324, 1.7976931348623157e308)
  values.push(Number.NaN, Number.POSITIVE_INFINITY)
  const rows = values.map(value => ({ time_us: 1, value }))
  const lines = textOf(batchOf('samples', { time_us: 'number', value: 'number' }, rows))
  const written = lines.match(/(?<="value":)[^,}]+/g)
  assert.deepEqual(
    written,
    values.map(value => JSON.stringify(value)),
  )
})

test('times are RFC 3339 with microseconds, across minutes, years and nonsense', () => {
  const at = (iso: string, us: number) => Date.parse(iso) * 1000 + us
  const cases: [number, string][] = [
    [at('2026-12-31T23:59:59.999Z', 999), '2026-12-31T23:59:59.999999Z'],
    [at('2027-01-01T00:00:00Z', 0), '2027-01-01T00:00:00.000000Z'],
    [at('2026-12-31T23:59:00Z', 7), '2026-12-31T23:59:00.000007Z'],
    [at('9999-12-31T23:59:59Z', 0), '9999-12-31T23:59:59.000000Z'],
    [0, '1970-01-01T00:00:00.000000Z'],
    [-5, '1970-01-01T00:00:00.000000Z'],
    [1e18, '1970-01-01T00:00:00.000000Z'],
    [Number.NaN, '1970-01-01T00:00:00.000000Z'],
  ]
  const rows = cases.map(([time_us]) => ({ time_us }))
  const lines = parse(batchOf('flows', { time_us: 'number' }, rows))
  assert.deepEqual(
    lines.map(line => line.time),
    cases.map(([, text]) => text),
  )
})

test('IPv6 text agrees with the URL standard, whose form is that of RFC 5952', () => {
  const addresses = ['::', '::1', '1::', '2001:db8::1', '0:0:1::', '1:0:0:2::3', 'ff02::1:ff00:1']
  addresses.push(
    '1:2:3:4:5:6:7:8',
    '1:0:3:4:5:6:7:8',
    '0:1:0:1:0:1:0:1',
    '::fffe:0:1',
    '64:ff9b::a',
  )
  for (let seed = 1; seed <= 300; seed++) {
    const groups = Array.from({ length: 8 }, (_, i) => {
      const value = (Math.imul(seed * 8 + i, 2654435761) >>> 7) & 0xffff
      return (value & 3 ? 0 : value).toString(16)
    })
    addresses.push(groups.join(':'))
  }
  const columns = { time_us: 'number', source_address: 'address' } as const
  const lines = parse(
    batchOf(
      'flows',
      columns,
      addresses.map(source_address => ({ source_address })),
    ),
  )
  const expected = addresses.map(text => new URL(`http://[${text}]/`).hostname.slice(1, -1))
  assert.deepEqual(
    lines.map(line => line.source_address),
    expected,
  )
})

test('every IPv4 octet is dotted decimal', () => {
  const addresses = Array.from({ length: 256 }, (_, i) => `${i}.${255 - i}.0.${i}`)
  const columns = { time_us: 'number', source_address: 'address' } as const
  const lines = parse(
    batchOf(
      'flows',
      columns,
      addresses.map(source_address => ({ source_address })),
    ),
  )
  assert.deepEqual(
    lines.map(line => line.source_address),
    addresses,
  )
})

test('texts with quotes, controls, other scripts and great length come back as they were', () => {
  const texts = [
    '',
    'plain',
    'a "quoted" \\ one',
    'line\nbreak\u0000',
    '日本語 🦅',
    'x'.repeat(100_000),
    '\ud800',
  ]
  const columns = { time_us: 'number', source_pod: 'text', data: 'bytes' } as const
  const rows: Row[] = texts.map((source_pod, i) => ({
    source_pod,
    data: new Uint8Array(i * 50_000).fill(i),
  }))
  const lines = parse(batchOf('flows', columns, rows))
  assert.deepEqual(
    lines.map(line => line.source_pod),
    texts,
  )
  const cells = lines.map(line => Buffer.from(String(line.data), 'base64'))
  assert.deepEqual(
    cells.map(cell => cell.length),
    texts.map((_, i) => i * 50_000),
  )
  assert.ok(cells.every((cell, i) => cell.every(byte => byte === i)))
})

test('one encoder serves batches of different columns, one after the other', () => {
  const encoder = new RowEncoder(true)
  const flows = batchOf('flows', { time_us: 'number', packets: 'number' }, [{ packets: 7 }])
  const drops = batchOf('drops', { time_us: 'number', drop_reason: 'text' }, [
    { drop_reason: 'NO_SOCKET' },
  ])
  const renamed = batchOf('flows', { time_us: 'number', bytes: 'number' }, [{ bytes: 9 }])
  assert.equal(parse(flows, encoder)[0].packets, 7)
  assert.equal(parse(drops, encoder)[0].drop_reason, 'NO_SOCKET')
  assert.deepEqual(Object.keys(parse(renamed, encoder)[0]), ['time', 'table', 'time_us', 'bytes'])
})

test('rows come in chunks of whole lines, each row once', () => {
  const rows = Array.from({ length: 5000 }, (_, packets) => ({ time_us: 1, packets }))
  const encoder = new RowEncoder(true, 4096)
  encoder.begin(batchOf('flows', { time_us: 'number', packets: 'number' }, rows))
  const seen: number[] = []
  while (encoder.encode()) {
    const text = Buffer.from(encoder.bytes).toString()
    assert.ok(text.length < 4096 + 200)
    for (const line of text.trimEnd().split('\n')) seen.push(JSON.parse(line).packets)
    assert.equal(encoder.row, seen.length)
  }
  assert.deepEqual(
    seen,
    rows.map(row => row.packets),
  )
})
