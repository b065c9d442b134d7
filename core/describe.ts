/**
 * What is known of each installed component without a configuration: stability, and columns by
 * default.
 *
 * A processor's columns depend on its input. So it is shown every table that the receivers emit:
 * what it says is missing is what it needs, what comes out beyond the input is what it adds.
 */
import type { Tables } from './batch.ts'
import { defaultConfig } from './config/validate.ts'
import type { ProcessorDefinition } from './contract.ts'
import { ConfigError, MissingColumns } from './errors.ts'
import { emittedBy, neededBy } from './plan_tables.ts'
import { type Component, type ComponentKind, KINDS, type Registry } from './registry.ts'

export interface Description {
  readonly kind: ComponentKind
  readonly type: string
  readonly stability: string
  readonly source: string
  readonly summary: string
  /**
   * Receivers: columns by table with default options; absent when they depend on options that must
   * be given.
   */
  readonly emits?: Tables
  /** Exporters: each list of columns with which a table is taken. Processors: one list. */
  readonly needs?: readonly (readonly string[])[]
  /** Processors: columns that come out beyond those that went in. */
  readonly adds?: readonly string[]
}

/** All components of the registry, by kind and type. Loads every one. */
export async function describe(registry: Registry): Promise<Description[]> {
  const components: Component[] = []
  for (const kind of KINDS) {
    for (const type of registry.types(kind)) components.push(await registry.load(kind, type))
  }
  const tables: Tables = Object.assign({}, ...components.map(emitted))
  return components.map(component => {
    const { kind, type, source, definition } = component
    const { stability, summary } = definition
    return { kind, type, stability, source, summary, ...columnsOf(component, tables) }
  })
}

function emitted({ definition, type }: Component): Tables {
  const config = defaultConfig(definition.config)
  if (definition.kind !== 'receiver' || !config) return {}
  try {
    return emittedBy(definition, type, config)
  } catch (error) {
    // A receiver may need more than defaults to know: a file that is not there, for one.
    if (error instanceof ConfigError) return {}
    throw error
  }
}

function columnsOf(
  component: Component,
  tables: Tables,
): Pick<Description, 'emits' | 'needs' | 'adds'> {
  const { definition } = component
  const config = defaultConfig(definition.config)
  if (!config) return {}
  if (definition.kind === 'receiver') return { emits: emitted(component) }
  if (definition.kind === 'exporter') {
    return { needs: neededBy(definition, config).map(columns => Object.keys(columns)) }
  }
  return processorColumns(definition, config, tables)
}

function processorColumns(
  definition: ProcessorDefinition,
  config: Readonly<Record<string, unknown>>,
  tables: Tables,
): Pick<Description, 'needs' | 'adds'> {
  const adds = new Set<string>()
  const bare = planned(definition, config, { table: {} })
  for (const [table, columns] of Object.entries(tables)) {
    const out = planned(definition, config, { [table]: columns })
    if (out instanceof MissingColumns) continue
    for (const name of Object.values(out).flatMap(made => Object.keys(made))) {
      if (!Object.hasOwn(columns, name)) adds.add(name)
    }
  }
  const needs = bare instanceof MissingColumns ? [bare.columns] : []
  return { needs, adds: [...adds] }
}

function planned(
  definition: ProcessorDefinition,
  config: Readonly<Record<string, unknown>>,
  tables: Tables,
): Tables | MissingColumns {
  try {
    return definition.plan(tables, config as never)
  } catch (error) {
    if (error instanceof MissingColumns) return error
    if (error instanceof ConfigError) return {}
    throw error
  }
}
