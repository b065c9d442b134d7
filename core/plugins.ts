/**
 * Third-party components: finding and importing what `plugins:` names, and giving them this very
 * instance of `fovea`, wherever on disk they lie.
 *
 * The names `fovea` and `fovea/native` are answered by hooks with a module that passes on the
 * running instance's exports. So core is loaded once, from a checkout and from a bundle, for import
 * and for require.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Definition } from './contract.ts'
import { definitionMistake } from './definition.ts'
import { ConfigError } from './errors.ts'
import * as core from './index.ts'
import { within } from './runtime/deadline.ts'

/** Where the running instance is found: in each thread its own. */
const SHARED = Symbol.for('fovea.module')
type Shared = Record<'core' | 'native', Readonly<Record<string, unknown>> | undefined>

const MODULES: Readonly<Record<string, keyof Shared>> = { fovea: 'core', 'fovea/native': 'native' }
/**
 * A specifier of this scheme asks where a package is; the module that answers has the URL as its
 * default export.
 */
const WHERE = 'fovea-where:'

function shared(): Shared | undefined {
  return (globalThis as { [SHARED]?: Shared })[SHARED]
}

/** Answers `fovea` and `fovea/native` in this thread from now on. Safe twice. */
export function installFoveaModule(): void {
  if (shared()) return
  Object.assign(globalThis, { [SHARED]: { core, native: undefined } satisfies Shared })
  registerHooks({
    resolve(specifier, context, next) {
      if (Object.hasOwn(MODULES, specifier)) {
        const format = context.conditions.includes('require') ? 'commonjs' : 'module'
        return { url: `fovea:${MODULES[specifier]}`, format, shortCircuit: true }
      }
      if (!specifier.startsWith(WHERE)) return next(specifier, context)
      const [name, parentURL] = JSON.parse(decodeURIComponent(specifier.slice(WHERE.length)))
      const { url } = next(name, { ...context, parentURL })
      return { url: WHERE + url, format: 'module', shortCircuit: true }
    },
    load(url, context, next) {
      if (url.startsWith(WHERE)) {
        const source = `export default ${JSON.stringify(url.slice(WHERE.length))}`
        return { format: 'module', source, shortCircuit: true }
      }
      if (!url.startsWith('fovea:')) return next(url, context)
      const format = context.format ?? 'module'
      return { format, source: passOn(url.slice('fovea:'.length), format), shortCircuit: true }
    },
  })
}

/** Source of a module that has the exports of the running one. */
function passOn(name: string, format: string): string {
  const exports = shared()?.[name as keyof Shared]
  if (!exports) throw new Error(`fovea/${name} is not there`)
  const instance = `globalThis[Symbol.for('fovea.module')].${name}`
  if (format === 'commonjs') return `module.exports = ${instance}`
  const names = Object.keys(exports).filter(key => key !== 'default')
  return names.map(key => `export const ${key} = ${instance}.${key}`).join('\n')
}

/** Gives plugins `fovea/native`; the registry calls it, because core may not import native. */
export function shareNative(native: Readonly<Record<string, unknown>>): void {
  installFoveaModule()
  const all = shared()
  if (all) all.native = native
}

/**
 * The file that an entry of `plugins:` means: a path to a file or folder, or the name of an npm
 * package. `folders` are tried in order. Does not import it.
 *
 * @throws ConfigError when there is none.
 */
export async function resolvePlugin(name: string, folders: readonly string[]): Promise<string> {
  installFoveaModule()
  if (/^([./\\]|[A-Za-z]:)/.test(name)) {
    for (const folder of folders) {
      const file = entryFile(resolve(folder, name))
      if (file !== undefined) return file
    }
    throw new ConfigError(`${name}: ${nothingAt(resolve(folders[0], name))}`)
  }
  for (const folder of folders) {
    const from = pathToFileURL(join(folder, 'fovea.yaml')).href
    const question = WHERE + encodeURIComponent(JSON.stringify([name, from]))
    try {
      return fileURLToPath((await import(question)).default)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') continue
      throw new ConfigError(`${name} cannot be loaded: ${reason(error)}`)
    }
  }
  const local = folders.find(folder => existsSync(resolve(folder, name)))
  const hint = local === undefined ? `npm install ${name}` : `for the folder here write ./${name}`
  throw new ConfigError(`there is no package "${name}" in reach of ${folders[0]}; ${hint}`)
}

function nothingAt(path: string): string {
  if (!existsSync(path)) return `there is no ${path}`
  return `${path} has no index.ts, index.js, index.mjs or package.json with "main" or "exports"`
}

/** The module of a path: itself, or what the folder's package.json or its index says. */
function entryFile(path: string): string | undefined {
  if (!existsSync(path)) return undefined
  if (!statSync(path).isDirectory()) return path
  const manifest = join(path, 'package.json')
  const names = ['index.ts', 'index.js', 'index.mjs', 'index.cjs']
  if (existsSync(manifest)) {
    const { exports, main } = JSON.parse(readFileSync(manifest, 'utf8'))
    const entry = exportTarget(exports?.['.'] ?? exports) ?? main
    if (typeof entry === 'string') names.unshift(entry)
  }
  return names.map(name => join(path, name)).find(file => existsSync(file))
}

function exportTarget(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return undefined
  const conditions = exports as Readonly<Record<string, unknown>>
  const name = ['node', 'import', 'default', 'require'].find(key => key in conditions)
  return name === undefined ? undefined : exportTarget(conditions[name])
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING') {
    return 'an installed package must ship JavaScript, this one ships TypeScript'
  }
  if (error instanceof SyntaxError && error.message.endsWith('outside a module')) {
    return 'it is a module, but its package.json says otherwise; add "type": "module" there'
  }
  return `${error.name}: ${error.message.split('\n')[0]}`
}

/** A module that waits for ever would otherwise end the program without a word. */
const LOAD_MS = 10_000

export interface PluginComponent {
  readonly kind: Definition['kind']
  readonly type: string
  readonly definition: Definition
  readonly folder: string
  readonly source: string
}

/**
 * The components of a plugin's file. @throws ConfigError when it cannot be imported or states
 * something wrong.
 */
export async function loadPlugin(file: string): Promise<readonly PluginComponent[]> {
  installFoveaModule()
  let module: Readonly<Record<string, unknown>>
  try {
    const loading = import(pathToFileURL(file).href)
    if (!(await within(loading, LOAD_MS))) throw new Error(`not loaded in ${LOAD_MS / 1000} s`)
    module = await loading
  } catch (error) {
    throw new ConfigError(`${file} cannot be loaded: ${reason(error)}`)
  }
  const given = defaultOf(module)
  const list: readonly unknown[] = Array.isArray(given) ? given : [given]
  if (given === undefined || list.length === 0) {
    throw new ConfigError(`${file} has no default export; export default defineReceiver({ ... })`)
  }
  return list.map(definition => {
    const mistake = definitionMistake(definition)
    if (mistake) throw new ConfigError(`${file}: ${mistake}`)
    const { kind, type } = definition as Definition & { readonly type: string }
    return { kind, type, definition: definition as Definition, folder: dirname(file), source: file }
  })
}

/** `export default`, also of CommonJS that a compiler made from it. */
function defaultOf(module: Readonly<Record<string, unknown>>): unknown {
  const given = module.default as { __esModule?: boolean; default?: unknown } | undefined
  return given?.__esModule ? given.default : given
}
