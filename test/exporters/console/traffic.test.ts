/**
 * The sums behind the console: totals that count once, rates over real time, and the largest flows.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LargestRows } from '../../../exporters/console/largest_rows.ts'
import { Traffic } from '../../../exporters/console/traffic.ts'
import { batchOf, type Row } from '../../harness/flow_batch.ts'

const COLUMNS = {
  source_address: 'address',
  destination_address: 'address',
  source_port: 'u16',
  destination_port: 'u16',
  protocol: 'u8',
  packets: 'number',
  bytes: 'number',
  duplicate: 'u8',
  flow_starts: 'u8',
  flow_state: 'u8',
  source_namespace: 'text',
  source_pod: 'text',
  destination_host: 'text',
} as const
const TUPLE = {
  source_address: '10.0.0.1',
  destination_address: '10.0.0.2',
  source_port: 40000,
  destination_port: 443,
  protocol: 6,
}
const flows = (rows: readonly Row[]) => batchOf('flows', COLUMNS, rows)

test('rates are per second between arrivals, over the last three intervals', () => {
  const traffic = new Traffic(1000, 10, 0)
  for (let second = 1; second <= 5; second++) {
    traffic.add(flows([{ ...TUPLE, packets: 10 * second, bytes: 1000 * second }]), 1000 * second)
    traffic.tick(1000 * second + 10)
  }
  const { packets, bytes } = traffic.rates()
  assert.equal(packets, 40)
  assert.equal(bytes, 4000)
})

test('an interval without rows keeps the rates, and a long silence brings them to zero', () => {
  const traffic = new Traffic(1000, 10, 0)
  traffic.add(flows([{ ...TUPLE, packets: 10, bytes: 10 }]), 1000)
  traffic.tick(1001)
  traffic.tick(2001)
  assert.equal(traffic.rates().packets, 10)
  for (let now = 3000; now <= 20_000; now += 1000) traffic.tick(now)
  assert.equal(traffic.rates().packets, 0)
  assert.deepEqual(traffic.rates().flows, [])
})

test('a second sighting counts in no total and no flow', () => {
  const traffic = new Traffic(1000, 10, 0)
  const seen = { ...TUPLE, packets: 7, bytes: 700, flow_starts: 1 }
  traffic.add(flows([seen, { ...seen, duplicate: 1 }]), 1000)
  traffic.tick(1000)
  const { packets, bytes, flowStarts, flows: top } = traffic.rates()
  assert.deepEqual([packets, bytes, flowStarts, top.length, top[0].bytes], [7, 700, 1, 1, 700])
})

test('the same flow in several batches is one line with the newest state', () => {
  const traffic = new Traffic(1000, 10, 0)
  traffic.add(flows([{ ...TUPLE, packets: 1, bytes: 100, flow_state: 1 }]), 500)
  traffic.add(flows([{ ...TUPLE, packets: 1, bytes: 300, flow_state: 4 }]), 1000)
  traffic.tick(1000)
  assert.deepEqual(traffic.rates().flows, [
    {
      source: '10.0.0.1:40000',
      destination: '10.0.0.2:443',
      protocol: 'tcp',
      state: 'reset',
      packets: 2,
      bytes: 400,
    },
  ])
})

test('names win over addresses, and packets without a flow are called other', () => {
  const traffic = new Traffic(1000, 10, 0)
  const named = { ...TUPLE, source_namespace: 'shop', source_pod: 'web', bytes: 9 }
  traffic.add(
    flows([
      { ...named, destination_host: 'example.com' },
      { ...TUPLE, source_address: '2001:db8::1', protocol: 253, bytes: 8 },
      { bytes: 7, flow_state: 6 },
    ]),
    1000,
  )
  traffic.tick(1000)
  const ends = traffic.rates().flows.map(flow => [flow.source, flow.destination, flow.protocol])
  assert.deepEqual(ends, [
    ['shop/web:40000', 'example.com:443', 'tcp'],
    ['[2001:db8::1]:40000', '10.0.0.2:443', 'ip 253'],
    ['(other)', '', 'ip 0'],
  ])
})

test('drops are counted by reason, and only one table makes the totals', () => {
  const traffic = new Traffic(1000, 10, 0)
  const counts = { packets: 'number', bytes: 'number' } as const
  traffic.add(batchOf('packets', counts, [{ packets: 50, bytes: 50 }]), 100)
  traffic.add(flows([{ ...TUPLE, packets: 1, bytes: 1 }]), 1000)
  const drops = { drop_reason: 'text', ...counts } as const
  traffic.add(
    batchOf('drops', drops, [
      { drop_reason: 'NO_SOCKET', packets: 2, bytes: 9 },
      { drop_reason: 'NETFILTER_DROP', packets: 5, bytes: 9 },
      { drop_reason: 'NO_SOCKET', packets: 4, bytes: 9 },
    ]),
    1000,
  )
  traffic.add(batchOf('packets', counts, [{ packets: 50, bytes: 50 }]), 1000)
  traffic.tick(1000)
  const { drops: dropped, dropReasons, packets } = traffic.rates()
  assert.equal(dropped, 11)
  assert.deepEqual(dropReasons, [
    ['NO_SOCKET', 6],
    ['NETFILTER_DROP', 5],
  ])
  assert.equal(packets, 51)
})

test('the heap keeps exactly the largest rows', () => {
  const values = Array.from({ length: 5000 }, (_, i) => Math.imul(i, 2654435761) >>> 0)
  const largest = new LargestRows(64)
  for (let round = 0; round < 2; round++) {
    largest.clear()
    values.forEach((value, row) => {
      largest.offer(row, value)
    })
    const kept = [...largest.rows()].map(row => values[row]).sort((a, b) => b - a)
    assert.deepEqual(kept, values.toSorted((a, b) => b - a).slice(0, 64))
  }
})
