/**
 * Plugins: found by path and by package, TypeScript and JavaScript, import and require; all of them
 * get the one running instance of `fovea`, in the main thread and in a worker.
 */
import assert from 'node:assert/strict'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { loadConfig } from '../../core/config/load.ts'
import { openRegistry } from '../../core/config/plugins.ts'
import { ConfigError, MissingColumns } from '../../core/index.ts'
import { makePlan } from '../../core/plan.ts'
import { createRegistry, listTypes } from '../../core/registry.ts'
import { root } from '../../core/root.ts'

const fixtures = fileURLToPath(new URL('./fixtures/plugins/', import.meta.url))
let folder: string

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'fovea-plugins-'))
  cpSync(fixtures, folder, { recursive: true })
  renameSync(join(folder, 'packages'), join(folder, 'node_modules'))
  mkdirSync(join(folder, 'node_modules/@scope'))
  renameSync(join(folder, 'node_modules/compiled'), join(folder, 'node_modules/@scope/compiled'))
})
after(() => rmSync(folder, { recursive: true }))

/** The registry of a file in `folder` that names these plugins, used from elsewhere. */
function registryFor(...plugins: readonly unknown[]) {
  writeFileSync(join(folder, 'agent.yaml'), `plugins: ${JSON.stringify(plugins)}\n`)
  return openRegistry(loadConfig({ files: [join(folder, 'agent.yaml')], cwd: tmpdir() }))
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

test('folders, files and packages are found from the folder of the configuration', async () => {
  const registry = await registryFor(...GOOD)
  assert.deepEqual(registry.problems, [])
  const builtIn = listTypes('receiver')
  const added = registry.types('receiver').filter(type => !builtIn.includes(type))
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

test('whatever is wrong with a plugin is said, all at once, without a stack', async () => {
  const plugins: unknown[] = ['./nowhere', './empty', 'absent', 'typed', './broken.mjs']
  plugins.push('./throws.mjs', './no_default.mjs', 'typescript_only', './no_kind.mjs')
  plugins.push('./no_type.mjs', './no_plan.mjs', './odd_option.mjs', './bad_default.mjs')
  plugins.push(
    './typed',
    './twin.mjs',
    './builtin.mjs',
    './typed',
    5,
    { a: 'b' },
    './waits.mjs',
    './called_commonjs',
  )
  const { problems } = await registryFor(...plugins)
  assert.deepEqual(
    problems!.map(({ path, message }) => `${path}: ${message.replaceAll(folder, '.')}`),
    readFileSync(join(fixtures, 'expected.txt'), 'utf8').trim().split('\n'),
  )
  const [first] = problems!
  assert.deepEqual([first.file, first.line, first.column], [join(folder, 'agent.yaml'), 1, 11])
})

test('types that a plugin may have are not missed when it could not be loaded', async () => {
  const text = `plugins: [./nowhere, "\${env:NOT_SET}"]
receivers: { mystery: , flows: { intervl: 1s } }
exporters: { prometheus: }
service: { pipelines: { a: { receivers: mystery, exporters: prometheus } } }
`
  writeFileSync(join(folder, 'agent.yaml'), text)
  const tree = loadConfig({ files: ['agent.yaml'], env: {}, cwd: folder })
  await assert.rejects(makePlan(tree, await openRegistry(tree)), (error: unknown) => {
    assert.ok(error instanceof ConfigError)
    assert.deepEqual(
      error.problems.map(({ path }) => path),
      ['plugins.0', 'plugins.1', 'receivers.flows.intervl'],
    )
    return true
  })
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
