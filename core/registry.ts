/**
 * The only place that reaches components. The folder listing is the registry: a folder's name is
 * the type, and a component is imported when a configuration names it, never before.
 *
 * The three import templates are written so that Node resolves them in a checkout and esbuild turns
 * them into lazy modules of the bundle; a bundle has its listing built in, because the sources are
 * not beside it.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Kind } from './batch.ts'
import { nearest } from './config/suggest.ts'
import type { Definition } from './contract.ts'
import { ConfigError, type Problem } from './errors.ts'
import { loadPlugin, shareNative } from './plugins.ts'
import { root } from './root.ts'

export type ComponentKind = Definition['kind']
export const KINDS: readonly ComponentKind[] = ['receiver', 'processor', 'exporter']

type DefinitionOf<K extends ComponentKind> = Extract<Definition, { readonly kind: K }>

export interface Component<K extends ComponentKind = ComponentKind> {
  readonly kind: K
  readonly type: string
  readonly definition: DefinitionOf<K>
  /** Absolute path for `host.asset`. */
  readonly folder: string
  /** `built in`, or the plugin's file. */
  readonly source: string
}

/** What the plan asks; tests give one of their own. */
export interface Registry {
  /** Known types, sorted. Loads nothing. */
  types(kind: ComponentKind): readonly string[]
  /** @throws ConfigError when there is no such type. */
  load<K extends ComponentKind>(kind: K, type: string): Promise<Component<K>>
  /** Files of the plugins, for the registry of another thread. */
  readonly plugins: readonly string[]
  /** What is wrong with the `plugins:` of a configuration. */
  readonly problems?: readonly Problem[]
}

interface Listing {
  readonly receivers: readonly string[]
  readonly processors: readonly string[]
  readonly exporters: readonly string[]
  /** Folders with a command.ts: `exporters/hubble`. */
  readonly commands: readonly string[]
}

/** Set by the bundler; absent in a checkout. */
declare const FOVEA_COMPONENTS: Listing | undefined

let listed: Listing | undefined

function listing(): Listing {
  listed ??= typeof FOVEA_COMPONENTS === 'undefined' ? listFolders(root()) : FOVEA_COMPONENTS
  return listed
}

/** The components of a checkout, as the bundler embeds them. */
export function listFolders(folder: string): Listing {
  const having = (section: string, file: string): string[] => {
    const path = join(folder, section)
    const names = existsSync(path) ? readdirSync(path).sort() : []
    return names.filter(name => existsSync(join(path, name, file)))
  }
  const sections = ['receivers', 'processors', 'exporters'] as const
  return {
    receivers: having('receivers', 'index.ts'),
    processors: having('processors', 'index.ts'),
    exporters: having('exporters', 'index.ts'),
    commands: sections.flatMap(section =>
      having(section, 'command.ts').map(name => `${section}/${name}`),
    ),
  }
}

/** Built-in types of a kind, sorted. */
export function listTypes(kind: ComponentKind): readonly string[] {
  return listing()[`${kind}s`]
}

/** Loads a built-in component. @throws ConfigError when there is none of this type. */
export async function loadComponent<K extends ComponentKind>(
  kind: K,
  type: string,
): Promise<Component<K>> {
  if (!listTypes(kind).includes(type)) throw unknownType(kind, type, listTypes(kind))
  const module = (await importComponent(kind, type)) as { readonly default: DefinitionOf<K> }
  const folder = join(root(), `${kind}s`, type)
  return { kind, type, definition: module.default, folder, source: 'built in' }
}

function importComponent(kind: ComponentKind, type: string): Promise<unknown> {
  if (kind === 'receiver') return import(`../receivers/${type}/index.ts`)
  if (kind === 'processor') return import(`../processors/${type}/index.ts`)
  return import(`../exporters/${type}/index.ts`)
}

/**
 * Loads the command of each component that has one (`fovea observe` is
 * `exporters/hubble/command.ts`).
 */
export function loadCommands(): Promise<readonly unknown[]> {
  return Promise.all(
    listing().commands.map(async path => {
      const [section, type] = path.split('/')
      const module = (await importCommand(section, type)) as { readonly default: unknown }
      return module.default
    }),
  )
}

function importCommand(section: string, type: string): Promise<unknown> {
  if (section === 'receivers') return import(`../receivers/${type}/command.ts`)
  if (section === 'processors') return import(`../processors/${type}/command.ts`)
  return import(`../exporters/${type}/command.ts`)
}

export interface ColumnEntry {
  readonly kind: Kind
  readonly description: string
  readonly unit?: string
  /** OpenTelemetry's name for it. */
  readonly attribute?: string
}

/** The dictionary of columns that our receivers and processors share. */
export async function columnDictionary(): Promise<Readonly<Record<string, ColumnEntry>>> {
  const module = await import('../receivers/columns.ts')
  return module.columnDictionary
}

/**
 * Built-in components and those of the given plugin files (absolute paths, as `resolvePlugins`
 * gives them).
 *
 * @throws ConfigError when a plugin cannot be loaded, is wrong, or takes a type that exists.
 */
export async function createRegistry(plugins: readonly string[] = []): Promise<Registry> {
  const extra = new Map<string, Component>()
  if (plugins.length > 0) shareNative(await import('../native/index.ts'))
  for (const file of plugins) {
    for (const component of await loadPlugin(file)) {
      const key = `${component.kind} ${component.type}`
      const holder = listTypes(component.kind).includes(component.type)
        ? 'is built in'
        : extra.has(key)
          ? `comes from ${extra.get(key)?.source} already`
          : undefined
      if (holder) throw new ConfigError(`${file} gives the ${key}, but that ${holder}`)
      extra.set(key, component)
    }
  }
  const types = (kind: ComponentKind) =>
    [
      ...listTypes(kind),
      ...[...extra.values()].filter(c => c.kind === kind).map(c => c.type),
    ].sort()
  return {
    types,
    plugins,
    async load<K extends ComponentKind>(kind: K, type: string) {
      const found = extra.get(`${kind} ${type}`) as Component<K> | undefined
      if (found) return found
      if (!listTypes(kind).includes(type)) throw unknownType(kind, type, types(kind))
      return loadComponent(kind, type)
    },
  }
}

function unknownType(kind: ComponentKind, type: string, known: readonly string[]): ConfigError {
  return new ConfigError(unknownTypeMessage(kind, type, known))
}

/** For the check of a configuration, which knows the position. */
export function unknownTypeMessage(
  kind: ComponentKind,
  type: string,
  known: readonly string[],
): string {
  const near = nearest(type, known)
  if (near !== undefined) return `there is no ${kind} "${type}", did you mean "${near}"?`
  return `there is no ${kind} "${type}"; there are ${known.join(', ') || 'none'}`
}
