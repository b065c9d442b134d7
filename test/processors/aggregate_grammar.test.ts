/**
 * Every mistake that the grammar of metrics can hold, by its text, and how presets and own metrics
 * join.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Columns } from '../../core/index.ts'
import { ConfigError, MissingColumns } from '../../core/index.ts'
import type { MetricConfig } from '../../processors/aggregate/grammar.ts'
import aggregate from '../../processors/aggregate/index.ts'
import { resolveMetrics } from '../../processors/aggregate/metrics.ts'
import { count, optionsOf } from '../harness/aggregate.ts'
import { openStage } from '../harness/stage.ts'

const columns = {
  packets: 'number',
  pod: 'text',
  syn: 'u16',
  protocol: 'u8',
} as const satisfies Columns

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
      'a map of words over numbers',
      [count('a', { by: { p: { column: 'protocol', map: { tcp: 'TCP' } } } })],
      {},
      'metrics.0.by.p: this map does not fit protocol, a column of kind u8',
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

  test('missing columns are named all at once, those of expressions with their place', () => {
    const list = [count('a', { by: ['node'], where: 'sym > 1' })]
    assert.throws(
      () => plan(list),
      (error: unknown) => {
        assert.ok(error instanceof MissingColumns)
        assert.deepEqual(error.columns, ['node', 'sym'])
        assert.equal(
          error.message,
          'needs node for metric a; sym (at character 1 of "sym > 1") for metric a',
        )
        return true
      },
    )
  })

  test('a table that no metric names passes untouched', () => {
    assert.throws(() => plan([count('a', { from: 'drops' })]), MissingColumns)
  })

  test('a metric whose table does not come this way is said', () => {
    const metrics = [count('a', { from: ['flow', 'drops'] }), count('b', { by: ['pod'] })]
    const { host } = openStage(aggregate, { flows: columns }, optionsOf(metrics))
    assert.deepEqual(host.lines, [
      {
        level: 'warn',
        message: 'a metric counts nothing here: its tables do not come this way',
        fields: { metric: 'a', from: 'flow, drops', tables: 'flows' },
      },
    ])
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
