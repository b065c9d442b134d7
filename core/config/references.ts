/**
 * What the pipelines name: that it exists, that it is there once, and that pipelines do not read in
 * a circle.
 */
import type { Problem } from '../errors.ts'
import type { ComponentKind } from '../registry.ts'
import type { Checked } from './check.ts'
import type { PipelineOptions } from './core_options.ts'
import { isPipelineName, parseId } from './ids.ts'
import { type Place, problemAt } from './node.ts'
import { nearest } from './suggest.ts'

/** An id in a pipeline's list, and where it stands. */
export interface Reference {
  readonly id: string
  readonly at: Place
  readonly path: string
}

export interface CheckedPipeline {
  readonly name: string
  readonly path: string
  readonly at: Place
  readonly worker: string
  readonly receivers: readonly Reference[]
  /** Names of pipelines. */
  readonly pipelines: readonly Reference[]
  readonly processors: readonly Reference[]
  readonly exporters: readonly Reference[]
}

export interface References {
  /** Sorted: a pipeline comes after those that it reads. Those of a circle are left out. */
  readonly pipelines: readonly CheckedPipeline[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

const SOURCE = 'pipeline/'

export function checkReferences(checked: Checked): References {
  const problems: Problem[] = []
  const options = checked.service?.pipelines
  if (!options) return { pipelines: [], problems, warnings: [] }
  const pipelines = new Map<string, CheckedPipeline>()
  for (const [name, pipeline] of Object.entries(options)) {
    pipelines.set(name, readPipeline(name, pipeline, checked, Object.keys(options), problems))
  }
  if (pipelines.size === 0) {
    const at = checked.servicePlaces.keyAt('pipelines')
    const message = 'there is no pipeline, so nothing would run; name at least one'
    problems.push(problemAt(at, 'service.pipelines', message))
  }
  const read = new Set([...pipelines.values()].flatMap(p => p.pipelines.map(({ id }) => id)))
  for (const pipeline of pipelines.values()) {
    checkEnds(pipeline, options[pipeline.name], read.has(pipeline.name), problems)
  }
  const sorted = sortPipelines(pipelines, problems)
  return { pipelines: sorted, problems, warnings: unused(checked, pipelines) }
}

function readPipeline(
  name: string,
  options: PipelineOptions,
  checked: Checked,
  names: readonly string[],
  problems: Problem[],
): CheckedPipeline {
  const path = `service.pipelines.${name}`
  const at = checked.servicePlaces.keyAt('pipelines', name)
  if (!isPipelineName(name)) {
    problems.push(problemAt(at, path, 'the name of a pipeline has no spaces and no symbols'))
  }
  const list = (key: 'receivers' | 'processors' | 'exporters'): Reference[] =>
    references(options[key], `${path}.${key}`, problems, index =>
      checked.servicePlaces.valueAt('pipelines', name, key, index),
    )
  const known = (kind: ComponentKind) => (reference: Reference) => {
    if (checked.written[kind].has(reference.id)) return
    const message = notConfigured(reference.id, kind, checked)
    problems.push(problemAt(reference.at, reference.path, message))
  }
  const sources = list('receivers')
  const processors = list('processors')
  const exporters = list('exporters')
  const receivers = sources.filter(({ id }) => !id.startsWith(SOURCE))
  const pipelines = sources
    .filter(({ id }) => id.startsWith(SOURCE))
    .map(reference => ({ ...reference, id: reference.id.slice(SOURCE.length) }))
  receivers.forEach(known('receiver'))
  processors.forEach(known('processor'))
  exporters.forEach(known('exporter'))
  for (const { id, at, path } of pipelines) {
    if (names.includes(id)) continue
    const near = nearest(id, names)
    const hint = near === undefined ? '' : `, did you mean "${SOURCE}${near}"?`
    problems.push(problemAt(at, path, `there is no pipeline "${id}"${hint}`))
  }
  return { name, path, at, worker: options.worker, receivers, pipelines, processors, exporters }
}

function references(
  ids: readonly string[],
  path: string,
  problems: Problem[],
  placeOf: (index: number) => Place,
): Reference[] {
  const seen = new Set<string>()
  const out: Reference[] = []
  ids.forEach((text, index) => {
    const at = placeOf(index)
    const parsed = parseId(text)
    const here = `${path}.${index}`
    if (typeof parsed === 'string') problems.push(problemAt(at, here, parsed))
    else if (seen.has(parsed.id)) {
      problems.push(problemAt(at, here, `"${parsed.id}" is twice in this list; keep one`))
    } else {
      seen.add(parsed.id)
      out.push({ id: parsed.id, at, path: here })
    }
  })
  return out
}

function notConfigured(id: string, kind: ComponentKind, checked: Checked): string {
  const others = (['receiver', 'processor', 'exporter'] as const).filter(other => other !== kind)
  const other = others.find(other => checked.written[other].has(id))
  if (other) return `"${id}" is configured under ${other}s, it cannot stand among ${kind}s`
  const known = [...checked.written[kind].keys()]
  const near = nearest(id, known) ?? known.find(other => other.startsWith(`${id}/`))
  if (near !== undefined) return `"${id}" is not configured, did you mean "${near}"?`
  return `"${id}" is not configured; add "${id}:" under ${kind}s`
}

/** A pipeline without a beginning or an end. What is written but wrong was reported already. */
function checkEnds(
  pipeline: CheckedPipeline,
  options: PipelineOptions,
  isRead: boolean,
  problems: Problem[],
): void {
  if (options.receivers.length === 0) {
    const message = 'reads nothing; name receivers, or other pipelines as pipeline/NAME'
    problems.push(problemAt(pipeline.at, pipeline.path, message))
  }
  if (options.exporters.length === 0 && !isRead) {
    const source = `${SOURCE}${pipeline.name}`
    const message = `leads nowhere; name exporters, or read it in another pipeline as ${source}`
    problems.push(problemAt(pipeline.at, pipeline.path, message))
  }
}

function sortPipelines(
  pipelines: ReadonlyMap<string, CheckedPipeline>,
  problems: Problem[],
): CheckedPipeline[] {
  const sorted: CheckedPipeline[] = []
  const done = new Set<string>()
  const circular = new Set<string>()
  const visit = (name: string, trail: readonly string[]): void => {
    const pipeline = pipelines.get(name)
    if (!pipeline || done.has(name)) return
    const start = trail.indexOf(name)
    if (start >= 0) {
      const loop = [...trail.slice(start), name]
      for (const member of loop) circular.add(member)
      const shown = loop.map(member => `${SOURCE}${member}`).join(' -> ')
      problems.push(problemAt(pipeline.at, pipeline.path, `pipelines read in a circle: ${shown}`))
      return
    }
    for (const { id } of pipeline.pipelines) visit(id, [...trail, name])
    if (done.has(name)) return
    done.add(name)
    if (pipeline.pipelines.some(({ id }) => circular.has(id))) circular.add(name)
    if (!circular.has(name)) sorted.push(pipeline)
  }
  for (const name of pipelines.keys()) visit(name, [])
  return sorted
}

function unused(checked: Checked, pipelines: ReadonlyMap<string, CheckedPipeline>): Problem[] {
  const lists = { receiver: 'receivers', processor: 'processors', exporter: 'exporters' } as const
  const warnings: Problem[] = []
  for (const [kind, list] of Object.entries(lists)) {
    const used = new Set([...pipelines.values()].flatMap(p => p[list].map(({ id }) => id)))
    for (const [id, at] of checked.written[kind as ComponentKind]) {
      if (used.has(id)) continue
      warnings.push(problemAt(at, `${list}.${id}`, 'is in no pipeline, so it does nothing'))
    }
  }
  return warnings
}
