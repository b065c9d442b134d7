/**
 * Plugins: found by path and by package, TypeScript and JavaScript, import and require; all of them get the one
 * running instance of `fovea`, in the main thread and in a worker.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { loadConfig } from '../../core/config/load.ts'
import { openRegistry } from '../../core/config/plugins.ts'
import { ConfigError, MissingColumns } from '../../core/index.ts'
import { createRegistry } from '../../core/registry.ts'
import { root } from '../../core/root.ts'

const rest = `summary: 'x', stability: 'beta', config: {}, open() { throw new Error('not here') }`
const receiver = (type: string) => `defineReceiver({ type: '${type}', ${rest}, emits: {} })`

const FILES: Readonly<Record<string, string>> = {
  'typed/index.ts': `import { defineReceiver, type Columns } from 'fovea'
const emits: Columns = { time_us: 'number' }
export default defineReceiver({ type: 'typed', ${rest}, emits })`,
  'main/package.json': `{ "name": "main", "main": "./lib/entry.mjs" }`,
  'main/lib/entry.mjs': `import { defineProcessor, MissingColumns } from 'fovea'
export default defineProcessor({ type: 'main', ${rest}, plan() { throw new MissingColumns(['x']) } })`,
  'exports/package.json': `{ "name": "exports", "exports": { ".": { "types": "./x.d.ts", "import": "./in.js" } }, "type": "module" }`,
  'exports/in.js': `import { defineReceiver } from 'fovea'\nexport default ${receiver('exports')}`,
  'several.cjs': `const { defineReceiver, defineExporter } = require('fovea')
module.exports = [${receiver('first')}, defineExporter({ type: 'second', ${rest}, needs: {} })]`,
  'native.ts': `import { defineReceiver } from 'fovea'
import * as native from 'fovea/native'
export default { ...${receiver('native')}, keys: Object.keys(native) }`,
  'node_modules/installed/package.json': `{ "name": "installed", "exports": { "import": "./index.mjs" } }`,
  'node_modules/installed/index.mjs': `import { defineReceiver } from 'fovea'\nexport default ${receiver('installed')}`,
  'node_modules/@scope/compiled/package.json': `{ "name": "@scope/compiled", "main": "index.js" }`,
  'node_modules/@scope/compiled/index.js': `const { defineReceiver } = require('fovea')
exports.__esModule = true
exports.default = ${receiver('compiled')}`,
  'node_modules/typescript_only/package.json': `{ "name": "typescript_only", "main": "index.ts" }`,
  'node_modules/typescript_only/index.ts': `export default 1 as number`,
  'empty/readme.txt': '',
  'no_default.mjs': 'export const x = 1',
  'broken.mjs': 'export default (',
  'throws.mjs': `throw new Error('no licence')`,
  'no_kind.mjs': 'export default { type: "a" }',
  'no_type.mjs': `import { defineReceiver } from 'fovea'\nexport default defineReceiver({ ${rest}, emits: {} })`,
  'no_plan.mjs': `import { defineProcessor } from 'fovea'\nexport default defineProcessor({ type: 'p', ${rest} })`,
  'odd_option.mjs': `import { defineReceiver } from 'fovea'
const group = { type: 'group', description: 'x', properties: { b: { type: 'strnig', description: 'x' } } }
export default { ...${receiver('odd')}, config: { a: group } }`,
  'bad_default.mjs': `import { defineReceiver } from 'fovea'
export default { ...${receiver('bad')}, config: { a: { type: 'duration', default: '5', description: 'x' } } }`,
  'twin.mjs': `import { defineReceiver } from 'fovea'\nexport default ${receiver('typed')}`,
  'builtin.mjs': `import { defineReceiver } from 'fovea'\nexport default ${receiver('replay')}`,
}

let folder: string

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'fovea-plugins-'))
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
})
after(() => rmSync(folder, { recursive: true }))

/** The registry of a file in `folder` that names these plugins, used from elsewhere. */
function registryFor(...plugins: readonly string[]) {
  writeFileSync(join(folder, 'agent.yaml'), `plugins: ${JSON.stringify(plugins)}\n`)
  return openRegistry(loadConfig({ files: [join(folder, 'agent.yaml')], cwd: tmpdir() }))
}

async function mistakesOf(...plugins: readonly string[]): Promise<string[]> {
  const { problems } = await registryFor(...plugins)
  const place = `${join(folder, 'agent.yaml')}:1:`
  return new ConfigError(problems!).message
    .split('\n')
    .map(line => line.replace(place, '').replaceAll(folder, '.'))
}

const GOOD = [
  './typed',
  './main',
  './exports',
  './several.cjs',
  './native.ts',
  'installed',
  '@scope/compiled',
]

test('folders, files and packages are found from the folder of the file that names them', async () => {
  const registry = await registryFor(...GOOD)
  assert.deepEqual(registry.problems, [])
  const added = registry
    .types('receiver')
    .filter(
      type => type in { typed: 1, exports: 1, first: 1, native: 1, installed: 1, compiled: 1 },
    )
  assert.deepEqual(added, ['compiled', 'exports', 'first', 'installed', 'native', 'typed'])
  assert.ok(registry.types('processor').includes('main'))
  assert.ok(registry.types('exporter').includes('second'))
  const typed = await registry.load('receiver', 'typed')
  assert.deepEqual(typed.definition.emits, { time_us: 'number' })
  assert.equal(typed.folder, join(folder, 'typed'))
  assert.equal(typed.source, join(folder, 'typed/index.ts'))
  assert.equal((await registry.load('receiver', 'compiled')).definition.summary, 'x')
})

test('a plugin has the very classes of this process, however it is loaded', async () => {
  const registry = await registryFor('./main', './several.cjs')
  const { definition } = await registry.load('processor', 'main')
  assert.throws(() => definition.plan({}, {} as never), MissingColumns)
})

test('fovea/native is the running one too', async () => {
  const registry = await registryFor('./native.ts')
  const { definition } = await registry.load('receiver', 'native')
  const native = await import('../../native/index.ts')
  assert.deepEqual((definition as unknown as { keys: string[] }).keys, Object.keys(native))
})

test('a worker makes the same registry from the files, with its own instance', async () => {
  const { plugins } = await registryFor(...GOOD)
  assert.deepEqual(
    plugins.map(file => file.replace(folder, '.')),
    [
      './typed/index.ts',
      './main/lib/entry.mjs',
      './exports/in.js',
      './several.cjs',
      './native.ts',
      './node_modules/installed/index.mjs',
      './node_modules/@scope/compiled/index.js',
    ],
  )
  const url = (file: string) => JSON.stringify(pathToFileURL(join(root(), 'core', file)).href)
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(${url('registry.ts')}).then(async ({ createRegistry }) => {
      const { MissingColumns } = await import(${url('index.ts')})
      const registry = await createRegistry(workerData)
      const { definition } = await registry.load('processor', 'main')
      let same = false
      try { definition.plan({}, {}) } catch (error) { same = error instanceof MissingColumns }
      parentPort.postMessage({ same, types: registry.types('exporter') })
    })`
  const worker = new Worker(code, { eval: true, workerData: plugins })
  const answer = await new Promise<{ same: boolean; types: string[] }>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  await worker.terminate()
  assert.equal(answer.same, true)
  assert.ok(answer.types.includes('second'))
})

test('nothing is loaded that is not named', async () => {
  const registry = await registryFor('./typed')
  assert.equal(registry.types('receiver').includes('installed'), false)
  await assert.rejects(registry.load('receiver', 'installed'), ConfigError)
})

test('what cannot be found says where it was looked for', async () => {
  assert.deepEqual(await mistakesOf('./nowhere', './empty', 'absent', 'typed'), [
    '11 plugins.0: ./nowhere: there is no ./nowhere',
    '23 plugins.1: ./empty: ./empty has no index.ts, index.js, index.mjs or package.json with "main" or "exports"',
    '33 plugins.2: there is no package "absent" in reach of .; npm install absent',
    '42 plugins.3: there is no package "typed" in reach of .; for the folder here write ./typed',
  ])
})

test('what cannot be loaded says why, without a stack', async () => {
  assert.deepEqual(
    await mistakesOf('./broken.mjs', './throws.mjs', './no_default.mjs', 'typescript_only'),
    [
      '11 plugins.0: ./broken.mjs cannot be loaded: SyntaxError: Unexpected end of input',
      '26 plugins.1: ./throws.mjs cannot be loaded: Error: no licence',
      '41 plugins.2: ./no_default.mjs has no default export; export default defineReceiver({ ... })',
      '60 plugins.3: ./node_modules/typescript_only/index.ts cannot be loaded: an installed package must ship JavaScript, this one ships TypeScript',
    ],
  )
})

test('what a definition lacks is named', async () => {
  const names = [
    './no_kind.mjs',
    './no_type.mjs',
    './no_plan.mjs',
    './odd_option.mjs',
    './bad_default.mjs',
  ]
  const lines = await mistakesOf(...names)
  assert.deepEqual(
    lines.map(line => line.replace(/^\d+ /, '')),
    [
      'plugins.0: ./no_kind.mjs: the default export is not made by defineReceiver, defineProcessor or defineExporter',
      'plugins.1: ./no_type.mjs: a receiver of a plugin states its "type" in lower_snake_case',
      'plugins.2: ./no_plan.mjs: processor p states no "plan"',
      'plugins.3: ./odd_option.mjs: receiver odd: option a.b has the type "strnig"; there are string, secret, integer, number, boolean, duration, size, list, map, group, json',
      'plugins.4: ./bad_default.mjs: receiver bad: option a has the default "5", which is no duration',
    ],
  )
})

test('a type that exists is not taken over', async () => {
  const lines = await mistakesOf('./typed', './twin.mjs', './builtin.mjs', './typed')
  assert.deepEqual(
    lines.map(line => line.replace(/^\d+ /, '')),
    [
      'plugins.1: ./twin.mjs gives the receiver typed, but that comes from ./typed/index.ts already',
      'plugins.2: ./builtin.mjs gives the receiver replay, but that is built in',
      'plugins.3: ./typed is named twice',
    ],
  )
})

test('a list of plugins that is no list of names is refused', async () => {
  writeFileSync(join(folder, 'agent.yaml'), 'plugins: [5, { a: b }]\n')
  const tree = loadConfig({ files: ['agent.yaml'], cwd: folder })
  const { problems } = await openRegistry(tree)
  assert.equal(
    new ConfigError(problems!).message,
    'agent.yaml:1:11 plugins.0: expected the name of a package or a path such as ./my_receiver\n' +
      'agent.yaml:1:14 plugins.1: expected the name of a package or a path such as ./my_receiver',
  )
})

test('the working directory is looked at after the folder of the file', async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'fovea-config-'))
  try {
    writeFileSync(join(elsewhere, 'agent.yaml'), 'plugins: [./typed, installed]\n')
    const tree = loadConfig({ files: [join(elsewhere, 'agent.yaml')], cwd: folder })
    assert.deepEqual((await openRegistry(tree)).problems, [])
  } finally {
    rmSync(elsewhere, { recursive: true })
  }
})

test('one plugin may be given as a single value', async () => {
  writeFileSync(join(folder, 'agent.yaml'), 'plugins: ./typed\n')
  const registry = await openRegistry(loadConfig({ files: ['agent.yaml'], cwd: folder }))
  assert.ok(registry.types('receiver').includes('typed'))
})

test('a registry without plugins has the built-in components', async () => {
  const registry = await createRegistry()
  assert.ok(registry.types('receiver').includes('replay'))
  assert.deepEqual(registry.plugins, [])
})
