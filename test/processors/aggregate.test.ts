/**
 * The aggregation against a naive one over the same rows, whatever the batches and intervals; its limits,
 * its expiry and every mistake that its grammar can hold.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Columns } from '../../core/index.ts'
import { ConfigError, MissingColumns } from '../../core/index.ts'
import type { MetricConfig } from '../../processors/aggregate/grammar.ts'
import { Group } from '../../processors/aggregate/group.ts'
import { groupKernels, groupMetrics } from '../../processors/aggregate/groups.ts'
import aggregate from '../../processors/aggregate/index.ts'
import { resolveMetrics } from '../../processors/aggregate/metrics.ts'
import { TextIds } from '../../processors/texts.ts'
import { batchOf } from '../harness/flow_batch.ts'
import { openStage, type SeriesLine, type TestStage } from '../harness/stage.ts'

const columns = {
  time_us: 'number',
  packets: 'number',
  source_address: 'address',
  interface: 'u32',
  pod: 'text',
  syn: 'u16',
  rst: 'u16',
  protocol: 'u8',
} as const satisfies Columns

interface Row {
  readonly packets: number
  readonly source_address: string
  readonly interface: number
  readonly pod: string
  readonly syn: number
  readonly rst: number
  readonly protocol: number
}

const row: fc.Arbitrary<Row> = fc.record({
  packets: fc.nat(5000),
  source_address: fc.constantFrom('10.1.2.3', '10.1.2.4', 'fd00::1', '::'),
  interface: fc.constantFrom(1, 2, 0xffffffff),
  pod: fc.constantFrom('', 'a', 'b', 'c', 'constructor'),
  syn: fc.nat(3),
  rst: fc.nat(1),
  protocol: fc.constantFrom(6, 17, 200),
})

/** Rows in batches; after each batch so many seconds pass. */
const course = fc.array(fc.tuple(fc.array(row, { maxLength: 12 }), fc.nat(40)), { maxLength: 12 })

const transport = { column: 'protocol', map: 'protocol_names' }
const metrics: readonly MetricConfig[] = [
  { name: 'pod.packets', from: 'flows', type: 'counter', value: 'packets', by: ['pod'] },
  { name: 'pod.rows', from: ['flows', 'drops'], type: 'counter', by: ['pod', 'interface'] },
  {
    name: 'tcp.flags',
    from: 'flows',
    type: 'counter',
    where: 'protocol == 6 && pod != "c"',
    spread: { label: 'flag', values: { syn: 'syn', rst: 'rst', both: 'syn + rst' } },
    by: { address: 'source_address' },
  },
  {
    name: 'size',
    from: 'flows',
    type: 'histogram',
    value: 'packets / 1000.0',
    buckets: [0.5, 1, 4],
    by: { transport },
  },
  { name: 'last', from: 'flows', type: 'gauge', value: 'packets', by: ['interface'] },
]

/** Yaml is a superset of JSON. */
function optionsOf(list: readonly MetricConfig[], more = {}): string {
  return JSON.stringify({ preset: [], idle_expiry: '0s', metrics: list, ...more })
}

function open(list: readonly MetricConfig[], more = {}, table: Columns = columns): TestStage {
  return openStage(aggregate, { flows: table }, optionsOf(list, more))
}

function batch(rows: readonly Row[]) {
  return batchOf(
    'flows',
    columns,
    rows.map(values => ({ ...values, time_us: 1_000_000 })),
  )
}

/** Values by `name{labels}`. */
function read(lines: readonly SeriesLine[]): Record<string, readonly number[]> {
  return Object.fromEntries(
    lines.map(({ name, labels, values }) => [`${name}${JSON.stringify(labels)}`, values]),
  )
}

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

/** Plays a course and ends it; returns the stage. */
function play(stage: TestStage, steps: readonly (readonly [readonly Row[], number])[]): TestStage {
  let nowMs = 1_700_000_000_000
  stage.tick(nowMs)
  for (const [rows, seconds] of steps) {
    stage.put(batch(rows))
    nowMs += seconds * 1000
    stage.tick(nowMs)
  }
  stage.tick(nowMs, true)
  return stage
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

  test('beyond series_max the first stay, and all series with the overflow add up to all rows', () => {
    const byPod: MetricConfig[] = [metrics[0], metrics[2]]
    fc.assert(
      fc.property(course, fc.integer({ min: 1, max: 8 }), (steps, series_max) => {
        const stage = play(open(byPod, { series_max }), steps)
        const whole = play(open(byPod), steps)
        const lines = stage.series()
        const overflow = lines.filter(({ labels }) => 'otel.metric.overflow' in labels)
        assert.ok(lines.length - overflow.length <= series_max)
        assert.ok(overflow.every(({ labels }) => labels['otel.metric.overflow'] === 'true'))
        for (const name of ['pod.packets', 'tcp.flags']) {
          const sum = (list: readonly SeriesLine[]) =>
            list.filter(line => line.name === name).reduce((total, l) => total + l.values[0], 0)
          assert.equal(sum(lines), sum(whole.series()))
        }
        const rows = steps.flatMap(([list]) => list)
        const first = rows.at(0)
        if (first) {
          const { pod } = first
          const own = lines.find(({ name, labels }) => name === 'pod.packets' && labels.pod === pod)
          const packets = rows.filter(r => r.pod === pod).reduce((sum, r) => sum + r.packets, 0)
          assert.equal(own?.values[0], packets, 'the first label set keeps its series')
        }
        const warnings = stage.host.lines.filter(({ level }) => level === 'warn')
        assert.ok(warnings.length <= 2, 'once per group')
      }),
    )
  })

  test('a metric may have a limit of its own', () => {
    const own = { ...metrics[0], series_max: 1 }
    const rows = ['a', 'b', 'c'].map(pod => ({ ...blank, pod, packets: 1 }))
    const lines = read(play(open([own, metrics[1]]), [[rows, 1]]).series())
    assert.deepEqual(lines['pod.packets{"pod":"a"}'], [1])
    assert.deepEqual(lines['pod.packets{"otel.metric.overflow":"true"}'], [2])
    assert.equal(Object.keys(lines).filter(key => key.startsWith('pod.rows')).length, 3)
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

  test('an id is used again only after it was released, and then names the new series', () => {
    const stage = open([metrics[0]], { idle_expiry: '15s' })
    const put = (pod: string, packets: number) => stage.put(batch([{ ...blank, pod, packets }]))
    stage.tick(0)
    put('a', 5)
    stage.tick(15_000)
    stage.tick(45_000)
    assert.equal(stage.series().length, 0, 'a ended')
    put('a', 7)
    stage.tick(60_000)
    assert.deepEqual(read(stage.series()), { 'pod.packets{"pod":"a"}': [7] })
    assert.equal(stage.store.idsEnd, 2, 'id 0 was not released yet')
    stage.recorder.release([0])
    put('b', 9)
    stage.tick(75_000)
    put('c', 1)
    stage.tick(90_000)
    put('d', 1)
    stage.tick(105_000)
    assert.equal(stage.store.idsEnd, 4)
    assert.equal(stage.store.label(0, 0), 'c')
  })

  test('the values of all lives of a series add up to its rows', () => {
    fc.assert(
      fc.property(course, steps => {
        const stage = open([metrics[0]], { idle_expiry: '15s' })
        const ended = new Map<string, number>()
        let alive = new Map<string, { startUs: number; value: number }>()
        let nowMs = 1_700_000_000_000
        const look = () => {
          const now = new Map(
            stage.series().map(({ labels, startUs, values }) => {
              return [labels.pod, { startUs, value: values[0] }]
            }),
          )
          for (const [pod, { startUs, value }] of alive) {
            if (now.get(pod)?.startUs === startUs) continue
            ended.set(pod, (ended.get(pod) ?? 0) + value)
          }
          alive = now
        }
        stage.tick(nowMs)
        for (const [rows, seconds] of steps) {
          stage.put(batch(rows))
          nowMs += seconds * 1000
          stage.tick(nowMs)
          look()
        }
        stage.tick(nowMs + 1, true)
        look()
        for (const pod of new Set([...ended.keys(), ...alive.keys()])) {
          const rows = steps.flatMap(([list]) => list).filter(r => r.pod === pod)
          const sum = rows.reduce((total, r) => total + r.packets, 0)
          assert.equal((ended.get(pod) ?? 0) + (alive.get(pod)?.value ?? 0), sum)
        }
      }),
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

  test('a hundred thousand series of eight labels take at most 300 bytes each', () => {
    const names = [...'abcdefgh']
    const table = Object.fromEntries([...names, 'packets'].map(name => [name, 'text' as const]))
    const config = { preset: [], interval: 1, idle_expiry: 0, series_max: 1e6 }
    const list = [count('n', { by: names }), count('m', { by: names })]
    const [plan] = groupMetrics(resolveMetrics({ ...config, metrics: list }))
    const group = new Group(plan, groupKernels(plan, table).codecs)
    const texts = new TextIds()
    texts.begin(['', 'x'])
    texts.resolve(1)
    const words = new Uint32Array(8)
    for (let i = 0; i < 50_000; i++) {
      words[0] = 1
      words[7] = i % 2
      group.add(words, 0, i, 0, texts)
    }
    assert.equal(group.series, 100_000)
    let bytes = 0
    for (const value of [...Object.values(group), ...Object.values(group.table)]) {
      if (ArrayBuffer.isView(value)) bytes += value.byteLength
    }
    assert.ok(bytes / group.series > 20, 'the arrays were found')
    assert.ok(bytes / group.series <= 300, `${bytes / group.series} bytes a series`)
  })
})

const blank: Row = {
  packets: 0,
  source_address: '::',
  interface: 1,
  pod: '',
  syn: 0,
  rst: 0,
  protocol: 6,
}

function count(name: string, more: Partial<MetricConfig> = {}): MetricConfig {
  return { name, from: 'flows', type: 'counter', ...more }
}

describe('the grammar of metrics', () => {
  const plan = (list: readonly MetricConfig[], more = {}, table: Columns = columns) => {
    const config = { interval: 15_000, idle_expiry: 300_000, series_max: 20_000 }
    return aggregate.plan({ flows: table }, { ...config, preset: [], metrics: list, ...more })
  }
  const mistakes: [string, MetricConfig[], object, string][] = [
    ['nothing to do', [], {}, 'metrics: no preset and no metric: there is nothing to do'],
    [
      'an unknown preset',
      [],
      { preset: ['otle'] },
      'preset.0: unknown preset otle, did you mean "otel"?',
    ],
    ['one name twice', [count('a'), count('a')], {}, 'metrics.1: there are two metrics a'],
    [
      'an expiry below the interval',
      [count('a')],
      { idle_expiry: 1000 },
      'idle_expiry: must not be shorter than interval',
    ],
    [
      'a histogram without bounds',
      [count('a', { type: 'histogram' })],
      {},
      'metrics.0.buckets: a histogram needs upper bounds: [0.001, 0.01, 0.1, 1]',
    ],
    [
      'bounds that do not ascend',
      [count('a', { type: 'histogram', buckets: [1, 1] })],
      {},
      'metrics.0.buckets: the bounds must ascend',
    ],
    [
      'bounds of a counter',
      [count('a', { buckets: [1] })],
      {},
      'metrics.0.buckets: only a histogram has buckets, this is a counter',
    ],
    [
      'a value beside a spread',
      [count('a', { value: 'packets', spread: { label: 'f', values: { syn: 'syn' } } })],
      {},
      'metrics.0.value: spread has values of its own',
    ],
    [
      'a label twice',
      [count('a', { by: ['pod'], spread: { label: 'pod', values: { syn: 'syn' } } })],
      {},
      'metrics.0.by: there are two labels pod',
    ],
    [
      'else without map',
      [count('a', { by: { p: { column: 'pod', else: 'x' } } })],
      {},
      'metrics.0.by.p: else without map has no effect',
    ],
    [
      'a map that does not fit',
      [count('a', { by: { p: { column: 'pod', map: 'address_family' } } })],
      {},
      'metrics.0.by.p: this map does not fit pod, a column of kind text',
    ],
    [
      'a value of the wrong type',
      [count('a', { value: 'pod' })],
      {},
      'metrics.0.value: pod is a text, but a number is needed here (at character 1 of "pod")',
    ],
    [
      'two mistakes at once',
      [count('a', { where: 'syn >' }), count('b', { buckets: [1] })],
      {},
      'metrics.0.where: the expression ends too early (at character 6 of "syn >")\n' +
        'metrics.1.buckets: only a histogram has buckets, this is a counter',
    ],
  ]
  for (const [what, list, more, message] of mistakes) {
    test(`${what} is refused with its place`, () => {
      assert.throws(
        () => plan(list, more),
        (error: unknown) => {
          assert.ok(error instanceof ConfigError)
          assert.equal(error.message, message)
          return true
        },
      )
    })
  }

  test('columns that a table lacks are named all at once, those of expressions with their place', () => {
    const list = [count('a', { by: ['node'], where: 'sym > 1' })]
    assert.throws(
      () => plan(list),
      (error: unknown) => {
        assert.ok(error instanceof MissingColumns)
        assert.deepEqual(error.columns, ['node', 'sym'])
        assert.match(error.message, /sym \(at character 1 of "sym > 1"\)/)
        return true
      },
    )
  })

  test('a table that no metric names passes untouched', () => {
    assert.throws(() => plan([count('a', { from: 'drops' })]), MissingColumns)
  })

  test('a metric of the user replaces the one of a preset', () => {
    const config = { preset: ['otel'], interval: 1, idle_expiry: 0, series_max: 1 }
    const own = count('fovea.network.io', { unit: 'By', by: ['pod'] })
    const resolved = resolveMetrics({ ...config, metrics: [own] })
    const io = resolved.filter(({ definition }) => definition.name === 'fovea.network.io')
    assert.deepEqual(
      io.map(({ definition }) => definition.labels),
      [['pod']],
    )
    assert.ok(resolved.length > 1)
  })
})
