/**
 * A plan in words, for `fovea check`: what each pipeline reads, what every stage adds, what arrives
 * where.
 */
import type { Columns, Tables } from './batch.ts'
import { redact } from './config/redact.ts'
import { lacking } from './plan_tables.ts'
import type { Plan, Planned, PlannedExporter, PlannedPipeline } from './plan_types.ts'
import { wrapped } from './text.ts'

/** A row of the listing: stage, table, what is to be said of it. */
type Row = readonly [stage: string, table: string, text: string]

export function planText(plan: Plan): string {
  return plan.pipelines.map(pipeline => pipelineText(pipeline, plan)).join('\n')
}

function pipelineText(pipeline: PlannedPipeline, plan: Plan): string {
  const { name, worker, stages, exporters } = pipeline
  const sources = sourcesOf(pipeline).join(', ')
  const route = [
    sources,
    ...stages.map(({ id }) => id),
    ...(exporters.length > 0 ? [exporters.join(', ')] : []),
  ]
  const rows: Row[] = rowsOf(
    'in',
    Object.entries(pipeline.tablesIn).map(([t, c]) => [t, list(c)]),
  )
  let before = pipeline.tablesIn
  for (const { id, accepts, tablesOut } of stages) {
    rows.push(...rowsOf(id, stageLines(before, accepts, tablesOut)))
    before = tablesOut
  }
  for (const id of exporters) {
    const { takes, leaves } = delivery(exporterOf(plan, id), pipeline.tablesOut)
    const left = leaves.length > 0 ? `; not ${leaves.join(', ')}` : ''
    rows.push([id, '', `takes ${takes.join(', ')}${left}`])
  }
  const where = stages.length > 0 && worker !== 'default' ? ` (worker ${worker})` : ''
  return `pipeline ${name}${where}: ${route.join(' -> ')}\n${aligned(rows)}`
}

function sourcesOf({ receivers, pipelines }: PlannedPipeline): string[] {
  return [...receivers, ...pipelines.map(name => `pipeline/${name}`)]
}

/** The stage's name beside its first line only. */
function rowsOf(stage: string, lines: readonly (readonly [string, string])[]): Row[] {
  const shown = lines.length > 0 ? lines : [['', 'nothing comes out'] as const]
  return shown.map(([table, text], index) => [index === 0 ? stage : '', table, text])
}

function stageLines(before: Tables, accepts: Tables, after: Tables): (readonly [string, string])[] {
  const lines: (readonly [string, string])[] = []
  for (const [table, columns] of Object.entries(after)) {
    const known = before[table]
    if (!known) lines.push([table, list(columns)])
    else if (!Object.hasOwn(accepts, table)) lines.push([table, 'passes untouched'])
    else lines.push([table, changes(known, columns)])
  }
  const ended = Object.keys(before).filter(table => !Object.hasOwn(after, table))
  return [...lines, ...ended.map(table => [table, 'ends here'] as const)]
}

function changes(before: Columns, after: Columns): string {
  const added = lacking(after, before).map(name => `${name} ${after[name]}`)
  const removed = Object.keys(before).filter(name => !Object.hasOwn(after, name))
  if (added.length + removed.length === 0) return 'same columns'
  return [
    ...(added.length > 0 ? [`adds ${added.join(', ')}`] : []),
    ...(removed.length > 0 ? [`removes ${removed.join(', ')}`] : []),
  ].join('; ')
}

function list(columns: Columns): string {
  return Object.entries(columns)
    .map(([name, kind]) => `${name} ${kind}`)
    .join(', ')
}

function aligned(rows: readonly Row[]): string {
  const first = Math.max(...rows.map(([stage]) => stage.length))
  const second = Math.max(...rows.map(([, table]) => table.length))
  const indent = first + second + 6
  return rows
    .map(([stage, table, text]) => {
      const head = `  ${stage.padEnd(first)}  ${table.padEnd(second)}  `
      return `${head}${wrapped(text, indent)}\n`
    })
    .join('')
}

function exporterOf(plan: Plan, id: string): PlannedExporter {
  const found = plan.exporters.find(exporter => exporter.id === id)
  if (!found) throw new Error(`no exporter ${id} in the plan`)
  return found
}

function delivery({ needs }: PlannedExporter, tables: Tables) {
  const isTaken = (table: string) => needs.some(need => lacking(need, tables[table]).length === 0)
  const names = Object.keys(tables)
  return { takes: names.filter(isTaken), leaves: names.filter(table => !isTaken(table)) }
}

/** The plan as data: what `check --format json` prints. Secrets are masked. */
export function planJson(plan: Plan): Readonly<Record<string, unknown>> {
  const component = (planned: Planned & { readonly definition: { readonly config: object } }) => ({
    id: planned.id,
    type: planned.type,
    config: redact(planned.config, planned.definition.config as never),
  })
  return {
    pipelines: plan.pipelines.map(pipeline => ({
      name: pipeline.name,
      worker: pipeline.worker,
      receivers: sourcesOf(pipeline),
      tables_in: pipeline.tablesIn,
      processors: pipeline.stages.map(({ id, accepts, tablesOut }) => ({
        id,
        takes: Object.keys(accepts),
        tables_out: tablesOut,
      })),
      exporters: pipeline.exporters.map(id => ({
        id,
        ...delivery(exporterOf(plan, id), pipeline.tablesOut),
      })),
    })),
    receivers: plan.receivers.map(component),
    processors: plan.processors.map(component),
    exporters: plan.exporters.map(exporter => ({
      ...component(exporter),
      sending_queue: exporter.queue,
      retry_on_failure: exporter.retry,
      timeout: exporter.timeoutMs,
    })),
    service: plan.service,
    plugins: plan.plugins,
  }
}
