/**
 * Columns followed along every pipeline: which tables a stage takes, what it makes of them, what
 * arrives.
 *
 * A stage sees one table at a time. A table that it cannot serve passes it untouched; only when no
 * table serves is that a mistake, and then the message says what is missing and who could give it.
 */
import type { Columns, Tables } from './batch.ts'
import { type Checked, placeProblems } from './config/check.ts'
import { problemAt } from './config/node.ts'
import type { CheckedPipeline, Reference } from './config/references.ts'
import { ConfigError, MissingColumns, type Problem } from './errors.ts'
import { advice } from './plan_advice.ts'
import { enumerate, lacking, Meeting, tablesMistake } from './plan_tables.ts'
import type {
  PlannedExporter,
  PlannedPipeline,
  PlannedProcessor,
  PlannedReceiver,
  PlannedStage,
} from './plan_types.ts'
import type { Registry } from './registry.ts'

export interface Parts {
  readonly receivers: ReadonlyMap<string, PlannedReceiver>
  readonly processors: ReadonlyMap<string, PlannedProcessor>
  readonly exporters: ReadonlyMap<string, PlannedExporter>
  readonly checked: Checked
  readonly registry: Registry
}

/** Tables at some point of a pipeline, and at its beginning. */
interface Here {
  readonly tables: Tables
  readonly tablesIn: Tables
}

/** Plans `pipelines`, which must be sorted. Those that depend on something wrong are left out. */
export async function planPipelines(
  pipelines: readonly CheckedPipeline[],
  parts: Parts,
  problems: Problem[],
): Promise<PlannedPipeline[]> {
  const done = new Map<string, PlannedPipeline>()
  for (const pipeline of pipelines) {
    const tablesIn = meet(pipeline, parts, done, problems)
    const stages = tablesIn && (await planStages(pipeline, tablesIn, parts, problems))
    if (!stages) continue
    const tablesOut = stages.at(-1)?.tablesOut ?? tablesIn
    for (const reference of pipeline.exporters) {
      const exporter = parts.exporters.get(reference.id)
      if (exporter)
        await checkDelivery(exporter, reference, { tables: tablesOut, tablesIn }, parts, problems)
    }
    const { name, worker } = pipeline
    done.set(name, {
      name,
      worker,
      receivers: idsOf(pipeline.receivers),
      pipelines: idsOf(pipeline.pipelines),
      stages,
      exporters: idsOf(pipeline.exporters),
      tablesIn,
      tablesOut,
    })
  }
  return [...done.values()]
}

function idsOf(references: readonly Reference[]): string[] {
  return references.map(({ id }) => id)
}

/**
 * What all sources of a pipeline bring, or undefined when one is unknown or two do not fit
 * together.
 */
function meet(
  pipeline: CheckedPipeline,
  parts: Parts,
  done: ReadonlyMap<string, PlannedPipeline>,
  problems: Problem[],
): Tables | undefined {
  const meeting = new Meeting()
  const sources = [
    ...pipeline.receivers.map(reference => ({
      reference,
      name: `receiver ${reference.id}`,
      tables: parts.receivers.get(reference.id)?.tables,
    })),
    ...pipeline.pipelines.map(reference => ({
      reference,
      name: `pipeline/${reference.id}`,
      tables: done.get(reference.id)?.tablesOut,
    })),
  ]
  let whole = sources.length > 0
  for (const { reference, name, tables } of sources) {
    if (!tables) whole = false
    for (const [table, columns] of Object.entries(tables ?? {})) {
      const conflict = meeting.add(table, columns, name)
      if (conflict === undefined) continue
      problems.push(problemAt(reference.at, reference.path, conflict))
      whole = false
    }
  }
  return whole ? meeting.tables : undefined
}

async function planStages(
  pipeline: CheckedPipeline,
  tablesIn: Tables,
  parts: Parts,
  problems: Problem[],
): Promise<PlannedStage[] | undefined> {
  const stages: PlannedStage[] = []
  let tables = tablesIn
  for (const reference of pipeline.processors) {
    const processor = parts.processors.get(reference.id)
    const stage =
      processor && (await planStage(processor, reference, { tables, tablesIn }, parts, problems))
    if (!stage) return undefined
    stages.push(stage)
    tables = stage.tablesOut
  }
  return stages
}

async function planStage(
  processor: PlannedProcessor,
  reference: Reference,
  here: Here,
  parts: Parts,
  problems: Problem[],
): Promise<PlannedStage | undefined> {
  const { id } = processor
  const { tables } = here
  const accepts: Record<string, Columns> = {}
  const meeting = new Meeting()
  const missing: MissingColumns[] = []
  const mistakes: Problem[] = []
  const fail = (message: string) => {
    mistakes.push(problemAt(reference.at, reference.path, message))
  }
  for (const [table, columns] of Object.entries(tables)) {
    const answer = ask(processor, { [table]: columns })
    if (answer instanceof ConfigError) {
      const configured = parts.checked.components.processor.get(id)
      if (configured) mistakes.push(...placeProblems(answer, configured))
      continue
    }
    if (answer instanceof MissingColumns) missing.push(answer)
    else accepts[table] = columns
    const out = answer instanceof MissingColumns ? { [table]: columns } : answer
    const wrong = tablesMistake(out)
    if (wrong) fail(`processor ${processor.type} is at fault: ${wrong}`)
    const from =
      answer instanceof MissingColumns ? `table ${table}, which passes ${id} untouched,` : id
    for (const [name, made] of Object.entries(out)) {
      const conflict = meeting.add(name, made, from)
      if (conflict !== undefined) fail(conflict)
    }
  }
  if (mistakes.length === 0 && Object.keys(accepts).length === 0) {
    fail(await unserved(id, here, missing, parts))
  }
  for (const mistake of mistakes) if (!isKnown(mistake, problems)) problems.push(mistake)
  return mistakes.length === 0 ? { id, accepts, tablesOut: meeting.tables } : undefined
}

function ask(processor: PlannedProcessor, table: Tables): Tables | MissingColumns | ConfigError {
  try {
    return processor.definition.plan(table, processor.config as never)
  } catch (error) {
    if (error instanceof MissingColumns || error instanceof ConfigError) return error
    throw error
  }
}

/** A stage says the same of every table, and in every pipeline that it is in. */
function isKnown(problem: Problem, problems: readonly Problem[]): boolean {
  return problems.some(
    ({ file, line, column, message }) =>
      message === problem.message &&
      file === problem.file &&
      line === problem.line &&
      column === problem.column,
  )
}

async function unserved(
  stage: string,
  here: Here,
  missing: readonly MissingColumns[],
  parts: Parts,
): Promise<string> {
  const names = Object.keys(here.tables)
  if (names.length === 0) return `no table reaches ${stage}`
  const wanting = missing.filter(({ columns }) => columns.length > 0)
  const [fewest] = wanting.toSorted((a, b) => a.columns.length - b.columns.length)
  // A stage that wants none of the tables lacks no column.
  if (!fewest) return `${stage} ${missing[0].message}; at this point there is ${enumerate(names)}`
  const { columns } = fewest
  const help = await advice(columns, { ...parts, ...here, stage })
  // Its own words say more, such as the place inside an expression.
  const plain = fewest.message === new MissingColumns(columns).message
  const needs = plain ? `needs ${enumerate(columns)}` : fewest.message
  return `${stage} ${needs}, which ${noneOf(names)}${help}`
}

function noneOf(tables: readonly string[]): string {
  if (tables.length === 1) return `the table ${tables[0]} lacks at this point`
  return `none of the tables at this point has (${tables.join(', ')})`
}

/** An exporter that no table of the pipeline suits would be silent for ever. */
async function checkDelivery(
  exporter: PlannedExporter,
  reference: Reference,
  here: Here,
  parts: Parts,
  problems: Problem[],
): Promise<void> {
  const { id, needs } = exporter
  const gaps = Object.values(here.tables).flatMap(columns =>
    needs.map(need => ({ need, columns, gap: lacking(need, columns) })),
  )
  if (gaps.some(({ gap }) => gap.length === 0)) return
  const [best] = gaps.toSorted((a, b) => a.gap.length - b.gap.length)
  const message = best ? await undelivered(id, best, here, parts) : `no table reaches ${id}`
  problems.push(problemAt(reference.at, reference.path, message))
}

interface Gap {
  readonly need: Columns
  /** Of the table that lacks least. */
  readonly columns: Columns
  readonly gap: readonly string[]
}

async function undelivered(id: string, best: Gap, here: Here, parts: Parts): Promise<string> {
  const { need, columns, gap } = best
  const other = gap.find(name => columns[name] !== undefined)
  if (other !== undefined) {
    return `${id} needs ${other} as ${need[other]}, but here it is ${columns[other]}`
  }
  const help = await advice(gap, { ...parts, ...here, stage: id })
  const lacks = noneOf(Object.keys(here.tables))
  return `${id} gets no table: it needs ${enumerate(gap)}, which ${lacks}${help}`
}
