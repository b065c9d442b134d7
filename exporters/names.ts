/**
 * How OpenTelemetry's names and units are spelt in Prometheus.
 *
 * The rules are those of the OpenTelemetry specification, "Prometheus and OpenMetrics
 * Compatibility": a dot becomes an underscore, the unit becomes a suffix in words, a counter ends
 * in `_total`.
 */
import type { MetricDefinition } from '../core/index.ts'

/** UCUM to the words that Prometheus uses. */
const UNIT_WORDS: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tibibytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  bit: 'bits',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '%': 'percent',
}
const PER_WORDS: Readonly<Record<string, string>> = {
  s: 'second',
  m: 'minute',
  min: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  mo: 'month',
  y: 'year',
}

export interface PrometheusName {
  /** Of the family, as OpenMetrics has it: unit suffix, but no `_total`. */
  readonly family: string
  /** The suffix that says the unit, empty where there is none. */
  readonly unit: string
}

/**
 * The family name of a metric. Samples of a counter add `_total`, those of a histogram `_bucket`
 * and so on.
 */
export function prometheusName(
  metric: Pick<MetricDefinition, 'name' | 'unit' | 'type'>,
): PrometheusName {
  const unit = unitWords(metric.unit, metric.type)
  let family = legal(metric.name)
  if (metric.type === 'counter') family = withoutSuffix(family, 'total')
  if (unit && family !== unit && !family.endsWith(`_${unit}`)) family = `${family}_${unit}`
  return { family: /^[0-9]/.test(family) || family === '' ? `_${family}` : family, unit }
}

/** A label's name. A digit in front, which Prometheus forbids, gets `key_` before it. */
export function prometheusLabel(attribute: string): string {
  const label = legal(attribute)
  return /^[0-9]/.test(label) || label === '' ? `key_${label}` : label
}

/**
 * Labels grouped by the name that they end up with: attributes that fall together share a group,
 * in the order of their original names, and their values are joined by `;`.
 */
export function labelGroups(attributes: readonly string[]): [name: string, indexes: number[]][] {
  const groups = new Map<string, number[]>()
  for (const [index, attribute] of attributes.entries()) {
    const name = prometheusLabel(attribute)
    const group = groups.get(name)
    if (group) group.push(index)
    else groups.set(name, [index])
  }
  for (const group of groups.values()) {
    group.sort((a, b) => (attributes[a] < attributes[b] ? -1 : 1))
  }
  return [...groups]
}

function unitWords(unit: string, type: MetricDefinition['type']): string {
  if (unit === '1') return type === 'gauge' ? 'ratio' : ''
  const [main, per] = unit.replace(/\{[^}]*\}/g, '').split('/', 2)
  const words = main === '' || main === '1' ? '' : legal(UNIT_WORDS[main] ?? main)
  if (!per) return trimmed(words)
  return trimmed(`${words}_per_${legal(PER_WORDS[per] ?? per)}`)
}

function legal(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_').replace(/_{2,}/g, '_')
}

function trimmed(words: string): string {
  return words.replace(/^_+|_+$/g, '')
}

function withoutSuffix(name: string, suffix: string): string {
  return name.endsWith(`_${suffix}`) ? name.slice(0, -suffix.length - 1) : name
}
