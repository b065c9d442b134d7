/**
 * Who could give a missing column: asked only when a plan fails, so that the message can say what
 * to do.
 *
 * A processor's columns depend on its input, so the way to know is to show it the tables that are
 * there.
 */
import type { Tables } from './batch.ts'
import type { Checked } from './config/check.ts'
import { nearest } from './config/suggest.ts'
import { defaultConfig } from './config/validate.ts'
import { ConfigError, MissingColumns } from './errors.ts'
import { emittedBy, enumerate } from './plan_tables.ts'
import type { Component, ComponentKind, Registry } from './registry.ts'

/** Components tried before giving up; more than there are, unless someone has very many plugins. */
const TRIES_MAX = 64

interface Candidate {
  readonly id: string
  readonly component: Component
  readonly config: Readonly<Record<string, unknown>>
}

export interface Situation {
  /** Tables at this point. */
  readonly tables: Tables
  /** Tables at the beginning of the pipeline. */
  readonly tablesIn: Tables
  /** Id of the stage that lacks something. */
  readonly stage: string
  readonly checked: Checked
  readonly registry: Registry
}

/** `; kubernetes adds it: put it before aggregate`, or nothing when nobody is known to. */
export async function advice(missing: readonly string[], situation: Situation): Promise<string> {
  const { checked, registry, stage, tables } = situation
  const it = missing.length === 1 ? 'it' : 'them'
  if (hasAll(situation.tablesIn, missing)) return `; a stage before ${stage} takes ${it} away`
  const processors = configured('processor', checked, stage)
  const ready = processors.filter(candidate => adds(candidate, missing, tables))
  if (ready.length > 0) {
    return `; ${enumerate(idsOf(ready), 'or')} adds ${it}: put it before ${stage}`
  }
  const known = (await installed('processor', registry, processors)).filter(candidate =>
    adds(candidate, missing, tables),
  )
  if (known.length > 0) return `; the processor ${enumerate(idsOf(known), 'or')} adds ${it}`
  const receivers = await installed('receiver', registry, [])
  const sources = receivers.filter(candidate => emits(candidate, missing))
  if (sources.length > 0) return `; the receiver ${enumerate(idsOf(sources), 'or')} emits ${it}`
  const here = Object.values(tables).flatMap(columns => Object.keys(columns))
  const near = missing.length === 1 ? nearest(missing[0], here) : undefined
  return near === undefined ? '' : `, did you mean "${near}"?`
}

function idsOf(candidates: readonly Candidate[]): string[] {
  return candidates.map(({ id }) => id)
}

function configured(kind: ComponentKind, checked: Checked, except: string): Candidate[] {
  return [...checked.components[kind].values()].filter(({ id }) => id !== except)
}

async function installed(
  kind: ComponentKind,
  registry: Registry,
  except: readonly Candidate[],
): Promise<Candidate[]> {
  const known = new Set(except.map(({ component }) => component.type))
  const out: Candidate[] = []
  for (const type of registry.types(kind).slice(0, TRIES_MAX)) {
    if (known.has(type)) continue
    const component = await registry.load(kind, type)
    const config = defaultConfig(component.definition.config)
    if (config) out.push({ id: type, component, config })
  }
  return out
}

function adds(
  { component, config }: Candidate,
  missing: readonly string[],
  tables: Tables,
): boolean {
  const { definition } = component
  if (definition.kind !== 'processor') return false
  return Object.entries(tables).some(([table, columns]) =>
    tried(() => hasAll(definition.plan({ [table]: columns }, config as never), missing)),
  )
}

function emits({ component, config }: Candidate, missing: readonly string[]): boolean {
  const { definition, type } = component
  return (
    definition.kind === 'receiver' &&
    tried(() => hasAll(emittedBy(definition, type, config), missing))
  )
}

function hasAll(tables: Tables, names: readonly string[]): boolean {
  return Object.values(tables).some(columns => names.every(name => Object.hasOwn(columns, name)))
}

/** A candidate that does not want these tables is none. */
function tried(ask: () => boolean): boolean {
  try {
    return ask()
  } catch (error) {
    if (error instanceof MissingColumns || error instanceof ConfigError) return false
    throw error
  }
}
