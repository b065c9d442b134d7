/**
 * Bundles the agent: core/main.ts into dist/agent.cjs, the worker's file into dist/worker.cjs.
 *
 * CommonJS because an ES module that imports node:http costs 14 MiB more; unminified because
 * minified source costs memory too and stack traces stay readable. Components are reached by
 * esbuild's glob imports: all are inside, and one that no configuration names is never evaluated.
 * Required as a module, dist/agent.cjs is the public entry `fovea`.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildFailure, type BuildOptions, build, type Plugin } from 'esbuild'
import { listFolders } from '../core/registry.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const piscina = dirname(createRequire(import.meta.url).resolve('piscina'))

/** Our two entries; written here because they exist in the bundle only. */
const entries = {
  // Exported so that `fovea` and `fovea/native` (native/entry.mjs) share the agent's one instance.
  agent: `
    export * from './core/index.ts'
    export * as native from './native/index.ts'
    import { main } from './core/main.ts'
    if (require.main === module) {
      const out = text => process.stdout.write(text)
      const err = text => process.stderr.write(text)
      main(process.argv.slice(2), { out, err, cwd: process.cwd(), env: process.env })
        .then(code => { process.exitCode = code })
    }`,
  // A worker thread starts with piscina's own file, which then requires our handlers: the same
  // file, so it finds this very module instance.
  worker: `
    import ${JSON.stringify(join(piscina, 'worker.js'))}
    export * from './core/worker.ts'
    export { default } from './core/worker.ts'`,
}

/** piscina starts `worker.js` beside itself; beside the bundle that file is `worker.cjs`. */
const piscinaWorker: Plugin = {
  name: 'piscina-worker',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]piscina[/\\]dist[/\\]index\.js$/ }, ({ path }) => {
      const parts = readFileSync(path, 'utf8').split("__dirname, 'worker.js'")
      if (parts.length !== 2) throw new Error(`${path} starts its worker in another way now`)
      return { contents: parts.join("__dirname, 'worker.cjs'"), loader: 'js' }
    })
  },
}

/**
 * Workers run processors only: what the others import would be parsed in every thread for nothing.
 */
const processorsOnly: Plugin = {
  name: 'processors-only',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\](receivers|exporters)[/\\]\w+[/\\]\w+\.ts$|[/\\]command\.ts$/ }, () => ({
      contents: 'export default undefined',
    }))
  },
}

function options(name: string, contents: string): BuildOptions {
  return {
    stdin: { contents, resolveDir: root, sourcefile: 'entry.ts', loader: 'ts' },
    absWorkingDir: root,
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    // An optional dependency of piscina that Fovea does not use.
    external: ['@napi-rs/nice'],
    plugins: name === 'worker' ? [processorsOnly] : [piscinaWorker],
    define: {
      'import.meta.url': '__url',
      // Inside a bundle core/main.ts is a module like any other: the entry above starts it.
      'import.meta.main': 'false',
      FOVEA_COMPONENTS: JSON.stringify(listFolders(root)),
    },
    banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href" },
    // A pattern of the registry that nothing matches, such as commands of receivers, is no mistake.
    logOverride: { 'empty-glob': 'silent' },
    logLevel: 'warning',
  }
}

async function main(): Promise<void> {
  mkdirSync(join(root, 'dist'), { recursive: true })
  const outputs = await Promise.all(
    Object.entries(entries).map(async ([name, contents]) => {
      const { outputFiles } = await build(options(name, contents))
      return [join(root, 'dist', `${name}.cjs`), toAscii(outputFiles![0]!.text)] as const
    }),
  )
  for (const [path, contents] of outputs) {
    // Renamed into place: an agent that restarts its worker just now reads a whole file.
    writeFileSync(`${path}.new`, contents)
    renameSync(`${path}.new`, path)
  }
}

/**
 * Node keeps a source with one letter beyond ASCII as UTF-16: twice the memory, for good. esbuild
 * escapes strings itself; what it leaves is inside regular expressions, where the same escape
 * holds.
 */
function toAscii(text: string): string {
  return text.replace(/[^\0-\x7f]/g, letter => {
    return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

try {
  await main()
} catch (error) {
  // esbuild has printed its own errors, with the place.
  if (!(error as Partial<BuildFailure>).errors) throw error
  process.exitCode = 1
}
