/**
 * The aggregation against a naive one over the same rows, whatever the batches and intervals.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { MetricConfig } from '../../processors/aggregate/grammar.ts'
import aggregate from '../../processors/aggregate/index.ts'
import {
  batch,
  blank,
  count,
  course,
  metrics,
  open,
  optionsOf,
  play,
  type Row,
  read,
  row,
} from '../harness/aggregate.ts'
import { batchOf } from '../harness/flow_batch.ts'
import { openStage } from '../harness/stage.ts'

function naive(rows: readonly Row[]): Record<string, readonly number[]> {
  const out = new Map<string, number[]>()
  const at = (name: string, labels: Record<string, string>, slots: number) => {
    const key = `${name}${JSON.stringify(labels)}`
    const values = out.get(key) ?? new Array<number>(slots).fill(0)
    out.set(key, values)
    return values
  }
  const transports: Record<number, string> = { 6: 'tcp', 17: 'udp', 200: '200' }
  for (const { packets, pod, syn, rst, protocol, ...rest } of rows) {
    const label = String(rest.interface)
    at('pod.packets', { pod }, 1)[0] += packets
    at('pod.rows', { pod, interface: label }, 1)[0]++
    if (protocol === 6 && pod !== 'c') {
      const address = rest.source_address === '::' ? '' : rest.source_address
      at('tcp.flags', { address, flag: 'syn' }, 1)[0] += syn
      at('tcp.flags', { address, flag: 'rst' }, 1)[0] += rst
      at('tcp.flags', { address, flag: 'both' }, 1)[0] += syn + rst
    }
    const size = at('size', { transport: transports[protocol] }, 6)
    size[0] += packets / 1000
    size[1]++
    size[2 + [0.5, 1, 4, Number.POSITIVE_INFINITY].findIndex(bound => packets / 1000 <= bound)]++
    at('last', { interface: label }, 1)[0] = packets
  }
  return Object.fromEntries(out)
}

describe('aggregate', () => {
  test('every value is that of a naive aggregation, whatever the batches and intervals', () => {
    fc.assert(
      fc.property(course, steps => {
        const stage = play(open(metrics), steps)
        assert.deepEqual(read(stage.series()), naive(steps.flatMap(([rows]) => rows)))
      }),
    )
  })

  test('a metric without labels is one series, whatever other metrics stand beside it', () => {
    const some: MetricConfig[] = [
      { name: 'by.pod', from: 'flows', type: 'counter', by: ['pod', 'interface'] },
      { name: 'all', from: 'flows', type: 'counter', value: 'packets' },
    ]
    fc.assert(
      fc.property(course, steps => {
        const lines = play(open(some), steps)
          .series()
          .filter(({ name }) => name === 'all')
        const rows = steps.flatMap(([part]) => part)
        const packets = rows.reduce((sum, row) => sum + row.packets, 0)
        assert.deepEqual(
          lines.map(({ values }) => values),
          rows.length > 0 ? [[packets]] : [],
        )
      }),
    )
  })

  test('rows that no metric takes are filtered, those that any takes are folded once', () => {
    const some: MetricConfig[] = [
      { name: 'a', from: 'flows', type: 'counter', where: 'protocol == 6' },
      { name: 'b', from: 'flows', type: 'counter', where: 'protocol == 6 || syn == 1' },
    ]
    fc.assert(
      fc.property(fc.array(row), rows => {
        const { counts } = play(open(some), [[rows, 1]]).host
        const taken = rows.filter(({ protocol, syn }) => protocol === 6 || syn === 1).length
        assert.equal(counts.folded, taken)
        assert.equal(counts.filtered ?? 0, rows.length - taken)
      }),
    )
  })

  test('only what changed is put out, and an empty batch keeps the rhythm', () => {
    const stage = open([metrics[0], metrics[4]])
    stage.tick(1_000)
    stage.put(batch([{ ...blank, pod: 'a', packets: 5, interface: 1 }]))
    assert.equal(stage.tick(16_000)[0].length, 2)
    assert.equal(stage.tick(17_000).length, 0, 'not yet')
    assert.equal(stage.tick(31_000)[0].length, 0)
    stage.put(batch([{ ...blank, pod: 'b', packets: 0, interface: 1 }]))
    const [out] = stage.tick(46_000)
    // pod b is born at zero; a gauge's reading is news even when it is the same.
    assert.equal(out.length, 2)
    assert.deepEqual(
      stage.series().map(({ startUs, timeUs }) => [startUs, timeUs]),
      [
        [1_000_000, 16_000_000],
        [1_000_000, 46_000_000],
        [31_000_000, 46_000_000],
      ],
    )
  })

  test('labels are text whatever the column: numbers, addresses, words of a map', () => {
    const table = {
      wide: 'number',
      address: 'address',
      id: 'u32',
      reason: 'text',
      port: 'u16',
    } as const
    const by = {
      wide: 'wide',
      address: 'address',
      id: 'id',
      reason: { column: 'reason', map: { NO_SOCKET: 'nobody', PROTO: 'odd' }, else: 'other' },
      port: { column: 'port', map: { 53: 'dns', 853: 'dns', 443: true } },
      family: { column: 'address', map: 'address_family' },
    }
    const stage = openStage(aggregate, { t: table }, optionsOf([count('n', { from: 't', by })]))
    const address = 'fd00::1'
    const one = { wide: 2 ** 53, address, id: 4294967295, reason: 'NO_SOCKET', port: 853 }
    stage.put(
      batchOf('t', table, [
        one,
        { ...one, port: 53 },
        { wide: -0.5, address: '10.0.0.1', id: 0, reason: 'X', port: 1 },
      ]),
    )
    stage.tick(1_000, true)
    assert.deepEqual(
      stage.series().map(({ labels, values }) => [Object.values(labels), values]),
      [
        [['9007199254740992', 'fd00::1', '4294967295', 'nobody', 'dns', 'ipv6'], [2]],
        [['-0.5', '10.0.0.1', '0', 'other', '', 'ipv4'], [1]],
      ],
    )
  })

  test('values that are no number or negative are counted and left out', () => {
    const list: MetricConfig[] = [
      { name: 'c', from: 'flows', type: 'counter', value: 'packets - 10' },
      { name: 'g', from: 'flows', type: 'gauge', value: 'packets % 0' },
    ]
    const rows = [5, 15, 20].map(packets => ({ ...blank, packets }))
    const stage = play(open(list), [[rows, 1]])
    assert.deepEqual(read(stage.series()), { 'c{}': [15] })
    assert.equal(stage.host.counts.invalid_values, 1 + 3)
  })
})
