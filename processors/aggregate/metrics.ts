/**
 * From the configuration to metrics: presets are joined with the user's own, every mistake is
 * named. Called by `plan` in the main thread and by `open` in the worker, with the same result.
 */
import type { MetricDefinition, Problem } from '../../core/index.ts'
import { ConfigError, didYouMean } from '../../core/index.ts'
import { type Expression, parseExpression } from '../parse.ts'
import type { MetricConfig, Written } from './grammar.ts'
import type { Label } from './labels.ts'
import { PRESETS } from './presets.generated.ts'

export interface Metric {
  readonly definition: MetricDefinition
  readonly tables: readonly string[]
  readonly where: Expression | null
  readonly labels: readonly Label[]
  /** One; several where the metric is spread. */
  readonly parts: readonly Part[]
  /** 0: the stage's own limit. */
  readonly seriesMax: number
  /** Where it stands in the configuration, for messages. */
  readonly path: string
}

export interface Part {
  /** Value of the spread label, null where there is none. */
  readonly label: string | null
  readonly value: Expression
  readonly path: string
}

export interface AggregateConfig {
  readonly preset: readonly string[]
  /** Items of METRIC_SCHEMA. */
  readonly metrics: readonly unknown[]
  readonly interval: number
  readonly idle_expiry: number
  readonly series_max: number
}

/** @throws ConfigError with all mistakes that need no table to be seen. */
export function resolveMetrics(config: AggregateConfig): Metric[] {
  const problems: Problem[] = []
  const byName = new Map<string, Metric>()
  const add = (metric: MetricConfig, path: string, seen: Set<string>) => {
    try {
      if (seen.has(metric.name)) fail(path, `there are two metrics ${metric.name}`)
      seen.add(metric.name)
      byName.set(metric.name, resolve(metric, path))
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      problems.push(...error.problems)
    }
  }
  config.preset.forEach((name, i) => {
    const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined
    if (preset) {
      for (const metric of preset) add(metric, `preset.${i}`, new Set())
    } else {
      const known = Object.keys(PRESETS)
      const hint = didYouMean(name, known) || `; there are ${known.join(', ')}`
      problems.push({ path: `preset.${i}`, message: `unknown preset ${name}${hint}` })
    }
  })
  const own = new Set<string>()
  for (const [i, metric] of config.metrics.entries()) {
    add(metric as MetricConfig, `metrics.${i}`, own)
  }
  if (config.idle_expiry > 0 && config.idle_expiry < config.interval) {
    problems.push({ path: 'idle_expiry', message: 'must not be shorter than interval' })
  }
  if (problems.length === 0 && byName.size === 0) {
    problems.push({ path: 'metrics', message: 'no preset and no metric: there is nothing to do' })
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return [...byName.values()]
}

function fail(path: string, message: string): never {
  throw new ConfigError([{ path, message }])
}

function resolve(metric: MetricConfig, path: string): Metric {
  const labels = resolveLabels(metric, path)
  const names = labels.map(label => label.name)
  if (metric.spread) names.push(metric.spread.label)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) fail(`${path}.by`, `there are two labels ${twice}`)
  const { where } = metric
  return {
    definition: {
      name: metric.name,
      description: metric.description ?? '',
      unit: metric.unit ?? '1',
      type: metric.type,
      labels: names,
      ...bounds(metric, path),
    },
    tables: typeof metric.from === 'string' ? [metric.from] : metric.from,
    where: where === undefined ? null : written(`${path}.where`, where),
    labels,
    parts: resolveParts(metric, path),
    seriesMax: metric.series_max ?? 0,
    path,
  }
}

function bounds({ type, buckets }: MetricConfig, path: string): { bounds?: readonly number[] } {
  if (type !== 'histogram') {
    if (buckets) fail(`${path}.buckets`, `only a histogram has buckets, this is a ${type}`)
    return {}
  }
  if (!buckets) fail(`${path}.buckets`, 'a histogram needs upper bounds: [0.001, 0.01, 0.1, 1]')
  if (buckets.some((bound, i) => i > 0 && bound <= buckets[i - 1])) {
    fail(`${path}.buckets`, 'the bounds must ascend')
  }
  return { bounds: buckets }
}

function resolveParts(metric: MetricConfig, path: string): Part[] {
  if (!metric.spread) {
    const at = `${path}.value`
    return [{ label: null, value: written(at, metric.value ?? 1), path: at }]
  }
  if (metric.value !== undefined) fail(`${path}.value`, 'spread has values of its own')
  return Object.entries(metric.spread.values).map(([label, value]) => {
    const at = `${path}.spread.values.${label}`
    return { label, value: written(at, value), path: at }
  })
}

function written(path: string, value: Written): Expression {
  return typeof value === 'object' ? value : parseExpression(path, String(value))
}

function resolveLabels({ by = [] }: MetricConfig, path: string): Label[] {
  const entries = Array.isArray(by)
    ? by.map((column: string) => [column, column] as const)
    : Object.entries(by as Exclude<typeof by, readonly string[]>)
  return entries.map(([name, source]) => {
    if (typeof source === 'string') return { name, column: source, map: null, otherwise: '' }
    const { column, map = null } = source
    if (map === null && source.else !== undefined) {
      fail(`${path}.by.${name}`, 'else without map has no effect')
    }
    const words = typeof map === 'object' && map !== null ? texts(map) : map
    return { name, column, map: words, otherwise: source.else ?? '' }
  })
}

function texts(map: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([value, word]) => [value, String(word)]))
}
