/**
 * Rows into metrics: counters, last values and histograms by any columns, with a limit on series.
 *
 * What is counted is data: presets and the user's own `metrics` in one grammar (`grammar.ts`).
 * Memory is bounded by `series_max`, and what does not fit is counted in one overflow series per
 * metric.
 */
import type { Columns } from '../../core/index.ts'
import {
  ConfigError,
  defineProcessor,
  MissingColumns,
  SERIES_COLUMNS,
  SERIES_TABLE,
} from '../../core/index.ts'
import { METRIC_SCHEMA } from './grammar.ts'
import { Group } from './group.ts'
import { type GroupPlan, groupKernels, groupMetrics } from './groups.ts'
import { resolveMetrics } from './metrics.ts'
import { AggregateStage, type Route } from './stage.ts'

export default defineProcessor({
  summary: 'Folds rows into counters, gauges and histograms by any columns',
  stability: 'beta',
  config: {
    preset: {
      type: 'list',
      items: { type: 'string', description: 'Name of a preset.' },
      default: ['otel'],
      description: 'Ready-made sets of metrics (`presets/`); `[]` for none.',
    },
    metrics: {
      type: 'list',
      items: { type: 'json', schema: METRIC_SCHEMA, description: 'One metric.' },
      default: [],
      description: 'Metrics of your own; one with the name of a preset’s metric replaces it.',
    },
    interval: {
      type: 'duration',
      default: '15s',
      minimum: '1s',
      description: 'Time between two emissions of the series that changed.',
    },
    series_max: {
      type: 'integer',
      minimum: 1,
      default: 20000,
      description: 'Series in all; the rest is counted in one overflow series per metric.',
    },
    idle_expiry: {
      type: 'duration',
      default: '5m',
      description: 'A series without rows for this long ends; 0: never.',
    },
  },

  plan(tables, config) {
    const groups = groupMetrics(resolveMetrics(config))
    for (const [table, columns] of Object.entries(tables)) {
      if (routesOf(groups, table).length === 0) {
        const wanted = [...new Set(groups.flatMap(group => group.first.tables))]
        throw new MissingColumns([], `counts rows of ${wanted.join(', ')} only`)
      }
      for (const group of routesOf(groups, table)) groupKernels(group, columns)
    }
    return { [SERIES_TABLE]: SERIES_COLUMNS }
  },

  open(tables, config, host) {
    const metrics = resolveMetrics(config)
    const routes = new Map<string, Route[]>()
    const groups: Group[] = []
    for (const plan of groupMetrics(metrics)) {
      const group = openGroup(plan, tables, routes)
      if (group) groups.push(group)
    }
    for (const { definition, tables: wanted, path } of metrics) {
      if (path.startsWith('preset') || wanted.some(table => Object.hasOwn(tables, table))) continue
      host.log.warn('a metric counts nothing here: its tables do not come this way', {
        metric: definition.name,
        from: wanted.join(', '),
        tables: Object.keys(tables).join(', '),
      })
    }
    return new AggregateStage(metrics, groups, routes, config, host)
  },
})

function routesOf(groups: readonly GroupPlan[], table: string): GroupPlan[] {
  return groups.filter(group => group.first.tables.includes(table))
}

/** The group's state, and its route for each table that flows; null when none does. */
function openGroup(
  plan: GroupPlan,
  tables: Readonly<Record<string, Columns>>,
  routes: Map<string, Route[]>,
): Group | null {
  let group: Group | null = null
  for (const [table, columns] of Object.entries(tables)) {
    if (!plan.first.tables.includes(table)) continue
    const kernels = groupKernels(plan, columns)
    group ??= new Group(plan, kernels.codecs)
    const same = kernels.codecs.every((codec, i) => codec.words === group?.codecs[i].words)
    if (!same) {
      const message = `${plan.first.tables.join(', ')} have a label's column in different kinds`
      throw new ConfigError([{ path: plan.first.path, message }])
    }
    routes.set(table, [...(routes.get(table) ?? []), { group, kernels }])
  }
  return group
}
