/** What people read: the lines of the table and the pipe, and the numbers in them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { Rates } from '../../../exporters/console/traffic.ts'
import { bitRate, duration, scaled } from '../../../exporters/console/units.ts'
import { flowLines, summary, table } from '../../../exporters/console/view.ts'

const AGENT = {
  version: '0.1.0',
  hostName: 'node-1',
  upMs: 192_000,
  cpu: 0.0061,
  rssBytes: 72 * 2 ** 20,
  lost: 0,
}
const RATES: Rates = {
  packets: 12_345,
  bytes: 12_262_500,
  flowStarts: 86,
  drops: 3.5,
  lost: 0,
  flows: [
    {
      source: 'shop/web-0:40000',
      destination: 'data/db-0:5432',
      protocol: 'tcp',
      state: 'active',
      packets: 1234,
      bytes: 1e6,
    },
    { source: '(other)', destination: '', protocol: 'udp', state: 'other', packets: 1, bytes: 9 },
  ],
  dropReasons: [
    ['NETFILTER_DROP', 3],
    ['NO_SOCKET', 0.5],
  ],
}
const RED = '\x1b[31m'
const QUIET: Rates = { ...RATES, drops: 0, dropReasons: [] }

test('the table has a title, totals, drops, and a line for each flow', () => {
  const lines = table(AGENT, RATES, { width: 90, height: 24, colour: false, flowLines: 2 })
  assert.deepEqual(lines, [
    ' fovea 0.1.0  node-1  up 3m 12s                                     cpu 0.6 %  rss 72 MiB',
    ' 12.3 k packets/s   98.1 Mbit/s      86 flows/s     3.5 drops/s      0 lost  ',
    ' dropped  NETFILTER_DROP 3/s  NO_SOCKET 0.5/s',
    ' source                  destination             proto  packets/s       bits/s  state',
    ' shop/web-0:40000        data/db-0:5432          tcp       1.23 k  8.00 Mbit/s  active',
    ' (other)                                         udp            1     72 bit/s  other',
  ])
})

test('a terminal of 40 columns has the table, a smaller one the packets only', () => {
  const [forty, less] = [40, 39].map(width =>
    table(AGENT, RATES, { width, height: 24, colour: false, flowLines: 2 }),
  )
  assert.match(forty[3], /^ source +destination +bits\/s$/)
  assert.equal(less.length, 1)
})

test('no line is wider than the terminal and no picture higher, whatever its size', () => {
  for (let width = 1; width <= 200; width++) {
    for (const height of [1, 2, 3, 4, 5, 10, 50]) {
      const lines = table(AGENT, RATES, { width, height, colour: false, flowLines: 10 })
      assert.ok(lines.length <= Math.max(1, height - 1))
      for (const line of lines) assert.ok([...line].length <= width, `${width}: "${line}"`)
    }
  }
})

test('colour changes nothing but colour, and a quiet second has no red', () => {
  const frame = { width: 90, height: 24, flowLines: 2 }
  const plain = table(AGENT, RATES, { ...frame, colour: false })
  const coloured = table(AGENT, RATES, { ...frame, colour: true })
  assert.deepEqual(
    coloured.map(line => stripVTControlCharacters(line)),
    plain,
  )
  assert.ok(coloured[2].includes(RED))
  assert.ok(
    !table(AGENT, QUIET, { ...frame, colour: true })
      .join('')
      .includes(RED),
  )
})

test('the table keeps its height when flows go', () => {
  const frame = { width: 90, height: 24, colour: false, flowLines: 5 }
  assert.equal(
    table(AGENT, RATES, frame).length,
    table(AGENT, { ...QUIET, flows: [] }, frame).length,
  )
})

test('a pipe gets one line, and one for each flow if asked', () => {
  const now = Date.UTC(2026, 10, 3, 12, 0, 1)
  assert.equal(
    summary(AGENT, RATES, now),
    '2026-11-03T12:00:01Z  12.3 k packets/s  98.1 Mbit/s  86 flows/s  3.5 drops/s  0 lost  ' +
      'cpu 0.6 %  rss 72 MiB',
  )
  assert.deepEqual(flowLines(RATES, now), [
    '2026-11-03T12:00:01Z  shop/web-0:40000 -> data/db-0:5432  tcp  ' +
      '1.23 k packets/s  8.00 Mbit/s  active',
    '2026-11-03T12:00:01Z  (other)  udp  1 packets/s  72 bit/s  other',
  ])
})

test('numbers have three digits and a prefix', () => {
  const cases: [number, string][] = [
    [0, '0'],
    [0.04, '0.0'],
    [3.25, '3.3'],
    [9.96, '10'],
    [12.4, '12'],
    [999.4, '999'],
    [999.5, '1.00 k'],
    [98_123, '98.1 k'],
    [999_499, '999 k'],
    [999_500, '1.00 M'],
  ]
  for (const [value, text] of cases) assert.equal(scaled(value), text)
  assert.equal(bitRate(0), '0 bit/s')
  assert.equal(bitRate(125_000_000), '1.00 Gbit/s')
})

test('times are the two largest units', () => {
  assert.deepEqual([0, 42e3, 192e3, 18.05e6, 1.05e9].map(duration), [
    '0s',
    '42s',
    '3m 12s',
    '5h 00m',
    '12d 03h',
  ])
})
