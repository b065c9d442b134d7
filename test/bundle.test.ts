/**
 * The production bundle, alone: what the package ships, in an empty directory, without
 * node_modules.
 *
 * It must find piscina's worker, the components' files and the public entries by itself, and must
 * not evaluate what no configuration names.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import * as native from '../native/index.ts'
import { root } from './harness/tree.ts'

const run = promisify(execFile)

describe('the bundle in an empty directory', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'fovea_bundle_'))
  const agent = join(folder, 'dist/agent.cjs')
  const fovea = (...words: string[]) => run(process.execPath, [agent, ...words], { cwd: folder })
  after(() => rmSync(folder, { recursive: true, force: true }))

  before(async () => {
    await run(process.execPath, [join(root, 'native/bundle.ts')])
    const { files } = await packed()
    for (const { path } of files) {
      if (!/^(dist\/\w+\.cjs|package\.json|receivers\/|configs\/|native\/entry)/.test(path))
        continue
      cpSync(join(root, path), join(folder, path), { recursive: true })
    }
  })

  test('knows its version and its components', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    assert.match((await fovea('version')).stdout, new RegExp(`^fovea ${version} `))
    const { stdout } = await fovea('components')
    for (const name of ['flows', 'replay', 'aggregate', 'prometheus']) {
      assert.match(stdout, new RegExp(`\\b${name}\\b`))
    }
  })

  test('plays the shipped trace to its end, with processors in a worker', async () => {
    await fovea('run', '--config', 'configs/replay.yaml', ...quick)
    const log = readFileSync(join(folder, 'flows.jsonl'), 'utf8').trimEnd().split('\n')
    const records = log.map(line => JSON.parse(line) as Record<string, unknown>)
    assert.ok(records.length > 0)
    // Only the stage in the worker adds this column.
    assert.ok(records.every(({ end_reason }) => typeof end_reason === 'string'))
  })

  test('gRPC is evaluated only when a configuration names it', async () => {
    const probe = join(folder, 'probe.cjs')
    writeFileSync(
      probe,
      `process.on('exit', () => {
        const loaded = process.moduleLoadList.includes('NativeModule http2')
        if (require('node:worker_threads').isMainThread) console.log('http2 ' + loaded)
      })`,
    )
    const words = ['--require', probe, agent, 'run', '--config']
    const options = { cwd: folder, env: { ...process.env, FOVEA_FLOW_LOG: 'more.jsonl' } }
    const without = ['configs/replay.yaml', ...quick]
    const { stdout } = await run(process.execPath, [...words, ...without], options)
    assert.match(stdout, /^http2 false$/m)
    writeFileSync(join(folder, 'grpc.yaml'), GRPC)
    const named = await run(process.execPath, [...words, 'grpc.yaml', ...quick], options)
    assert.match(named.stdout, /^http2 true$/m)
  })

  test('is the public module when it is required, and then runs nothing', async () => {
    const program = `import { native } from ${JSON.stringify(agent)}
      import * as entry from ${JSON.stringify(join(folder, 'native/entry.mjs'))}
      import { defineReceiver } from ${JSON.stringify(agent)}
      const same = Object.keys(entry).every(name => entry[name] === native[name])
      console.log(JSON.stringify([Object.keys(entry), same, typeof defineReceiver]))`
    writeFileSync(join(folder, 'program.mjs'), program)
    const { stdout } = await run(process.execPath, ['program.mjs'], { cwd: folder })
    const values = Object.keys(native).sort()
    assert.deepEqual(JSON.parse(stdout), [values, true, 'function'])
  })

  test('is pure ASCII, which Node keeps at one byte a letter', () => {
    for (const name of ['agent.cjs', 'worker.cjs']) {
      assert.doesNotMatch(readFileSync(join(dirname(agent), name), 'utf8'), /[^\0-\x7f]/)
    }
  })
})

/** The recorded time is not waited for; ports are free ones. */
const quick = [
  ...['--set', 'receivers.replay.speed=max'],
  ...['--set', 'exporters.prometheus.endpoint=127.0.0.1:0'],
  ...['--set', 'service.telemetry.endpoint=127.0.0.1:0'],
]

const GRPC = `
receivers: { replay: {} }
exporters:
  prometheus: {}
  otlp:
    endpoint: 127.0.0.1:9
    timeout: 100ms
    tls: { insecure: true }
    retry_on_failure: { enabled: false }
processors: { aggregate: { preset: [otel] } }
service:
  pipelines:
    metrics: { receivers: [replay], processors: [aggregate], exporters: [otlp, prometheus] }
`

interface Packed {
  readonly files: readonly { readonly path: string }[]
}

/** What `npm pack` would ship. */
async function packed(): Promise<Packed> {
  const words = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const { stdout } = await run('npm', words, { cwd: root, maxBuffer: 1 << 24 })
  return (JSON.parse(stdout) as Packed[])[0]!
}
