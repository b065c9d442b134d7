/**
 * The same series for us and for the OpenTelemetry SDK: generated ones for fast-check, and their
 * translation into the SDK's own data, so that its exporters can say what ours must say.
 */
import { type HrTime, ValueType } from '@opentelemetry/api'
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'
import type { MetricDefinition } from '../../core/series.ts'
import { type Point, SeriesFixture } from './series_fixture.ts'

export interface GeneratedSeries {
  readonly metric: number
  readonly labels: readonly string[]
  readonly point: Point
}
export interface Generated {
  readonly metrics: readonly MetricDefinition[]
  readonly series: readonly GeneratedSeries[]
}

export function fixtureOf({ metrics, series }: Generated): SeriesFixture {
  const fixture = new SeriesFixture(metrics)
  for (const { metric, labels, point } of series) fixture.born(point.id, metric, labels)
  return fixture
}

export function isWhole(unit: string): boolean {
  return unit === 'By' || /^\{[^}]*\}$/.test(unit)
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('', 'a"b', 'back\\slash', 'line\nbreak', '日本', 'x'.repeat(300)),
)
const labelNames = ['source.pod', 'network.transport', 'zone', '0digit', 'a-b', 'http.code']
const metric: fc.Arbitrary<MetricDefinition> = fc
  .record({
    description: fc.oneof(fc.constant(''), text),
    unit: fc.constantFrom('By', 's', '{packet}', '1', '', 'ms', '%', 'By/s'),
    type: fc.constantFrom('counter', 'gauge', 'histogram'),
    labels: fc.uniqueArray(fc.constantFrom(...labelNames), { maxLength: 6 }),
    bounds: fc.uniqueArray(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { maxLength: 8 }),
  })
  .map(({ bounds, ...rest }) => ({
    ...rest,
    name: '',
    ...(rest.type === 'histogram' ? { bounds: bounds.map(b => b + 0).sort((a, b) => a - b) } : {}),
  }))

const whole = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 1, 999_999_999, 1e9, 1e15))
const anyDouble = fc.oneof(fc.double(), fc.constantFrom(1e21, 1e-7, 0.1, 123456.789, 5e-324))

function valuesOf(definition: MetricDefinition): fc.Arbitrary<readonly number[]> {
  const { type, unit } = definition
  if (type === 'histogram') {
    const buckets = (definition.bounds?.length ?? 0) + 1
    const counts = fc.array(fc.nat(), { minLength: buckets, maxLength: buckets })
    return fc
      .tuple(fc.double({ noNaN: true }), counts)
      .map(([sum, own]) => [sum, own.reduce((a, b) => a + b, 0), ...own])
  }
  if (isWhole(unit)) return whole.map(value => [value])
  if (type === 'gauge') return anyDouble.map(value => [value])
  return fc.double({ min: 0, noNaN: true }).map(value => [value])
}

const us = fc.integer({ min: 1.6e15, max: 2e15 })

/** Up to five metrics with up to thirty series; ids are spread, so that there are holes. */
export const generated: fc.Arbitrary<Generated> = fc
  .array(metric, { minLength: 1, maxLength: 5 })
  .map(list => list.map((one, i) => ({ ...one, name: `fovea.made_${'abcde'[i]}.value` })))
  .chain(metrics => {
    const one = fc.nat({ max: metrics.length - 1 }).chain(index =>
      fc.record({
        metric: fc.constant(index),
        labels: fc.tuple(...metrics[index].labels.map(() => text)),
        values: valuesOf(metrics[index]),
        startUs: us,
        timeUs: us,
      }),
    )
    return fc.array(one, { maxLength: 30 }).map(list => ({
      metrics,
      series: list.map(({ metric: index, labels, values, startUs, timeUs }, i) => ({
        metric: index,
        labels,
        point: { id: 3 * i + 1, values, startUs, timeUs },
      })),
    }))
  })

/** What a MetricReader would hand to the SDK's exporters. `names` may rename metrics. */
export function sdkMetrics(
  { metrics, series }: Generated,
  resource: Record<string, string>,
  names = (definition: MetricDefinition) => definition.name,
): ResourceMetrics {
  const data = metrics.flatMap((definition, index) => {
    const own = series.filter(one => one.metric === index)
    return own.length > 0 ? [sdkMetric(definition, names(definition), own)] : []
  })
  return {
    resource: { attributes: resource },
    scopeMetrics: [{ scope: { name: 'fovea', version: '1.2.3' }, metrics: data }],
  } as unknown as ResourceMetrics
}

function sdkMetric(
  definition: MetricDefinition,
  name: string,
  series: readonly GeneratedSeries[],
): MetricData {
  const { description, unit, type, bounds = [] } = definition
  const dataPoints = series.map(({ labels, point: { values, startUs = 0, timeUs = 0 } }) => ({
    startTime: hrTime(startUs),
    endTime: hrTime(timeUs),
    attributes: Object.fromEntries(definition.labels.map((label, i) => [label, labels[i]])),
    value:
      type === 'histogram'
        ? {
            sum: values[0],
            count: values[1],
            buckets: { boundaries: bounds, counts: values.slice(2) },
          }
        : values[0],
  }))
  const valueType = isWhole(unit) ? ValueType.INT : ValueType.DOUBLE
  return {
    descriptor: { name, description, unit, valueType },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: {
      counter: DataPointType.SUM,
      gauge: DataPointType.GAUGE,
      histogram: DataPointType.HISTOGRAM,
    }[type],
    ...(type === 'counter' ? { isMonotonic: true } : {}),
    dataPoints,
  } as unknown as MetricData
}

function hrTime(timeUs: number): HrTime {
  const seconds = Math.floor(timeUs / 1e6)
  return [seconds, (timeUs - seconds * 1e6) * 1000]
}

export const RESOURCE = {
  'service.name': 'fovea',
  'service.version': '1.2.3',
  'service.instance.id': 'instance-1',
  'host.name': 'node-1',
}
