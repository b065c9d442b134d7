/**
 * How an agent ends: by a signal, by a second one, by itself, or by a change of mind (SIGHUP).
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from '../harness/until.ts'

const folder = mkdtempSync(join(tmpdir(), 'fovea-signals-'))
after(() => rmSync(folder, { recursive: true }))
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

function write(name: string, receiver: string, exporter: string): string {
  const file = join(folder, name)
  writeFileSync(
    file,
    `plugins: [${at('../harness/faulty_plugin.ts')}]
receivers: { test_counter: { ${receiver} } }
exporters: { test_collect: { ${exporter} } }
service:
  telemetry: { endpoint: "" }
  shutdown_timeout: 60s
  pipelines: { p: { receivers: [test_counter], exporters: [test_collect] } }
`,
  )
  return file
}

interface Run {
  readonly child: ChildProcess
  readonly log: () => string
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>
}

function start(file: string, ...more: string[]): Run {
  const main = at('../../core/main.ts')
  const args = [main, 'run', '--config', file, '--log-level', 'debug', ...more]
  const child = spawn(process.execPath, args)
  let log = ''
  child.stderr.on('data', chunk => {
    log += chunk
  })
  const ended = once(child, 'exit').then(([code, signal]) => code ?? signal)
  return { child, log: () => log, ended }
}

const ENDLESS = 'endless: true, batches: 1000000, rows: 2, each: 1'

test('an agent whose receivers have ended stops by itself with 0', async () => {
  assert.equal(await start(write('short.yaml', 'batches: 3, rows: 2', '')).ended, 0)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} drains and ends with 0; nothing is said that is no news`, async () => {
    const run = start(write(`${signal}.yaml`, ENDLESS, ''))
    await until('it runs', () => run.log().includes('running'))
    run.child.kill(signal)
    assert.equal(await run.ended, 0)
    assert.doesNotMatch(run.log(), /level=(warn|error)/)
  })
}

test('a second signal ends at once with 130, whatever hangs', async () => {
  const run = start(write('hang.yaml', ENDLESS, 'hang: true, timeout: 0'))
  await until('it runs', () => run.log().includes('running'))
  run.child.kill('SIGINT')
  await until('it stops', () => run.log().includes('stopping'))
  run.child.kill('SIGINT')
  assert.equal(await run.ended, 130)
})

test('SIGHUP goes over to the new file; a wrong one changes nothing and is named', async () => {
  const file = write('hup.yaml', ENDLESS, '')
  const run = start(file)
  await until('it runs', () => run.log().includes('running'))
  write('hup.yaml', ENDLESS.replace('rows: 2', 'rows: none'), '')
  run.child.kill('SIGHUP')
  await until('the mistake is named', () => run.log().includes('hup.yaml:2:'))
  assert.match(run.log(), /not reloaded, the old one goes on/)
  write('hup.yaml', ENDLESS.replace('rows: 2', 'rows: 3'), '')
  run.child.kill('SIGHUP')
  await until('it goes over', () => run.log().includes('configuration reloaded'))
  const text = readFileSync(file, 'utf8').replace(
    'endpoint: ""',
    'endpoint: "", resource: { a: b }',
  )
  writeFileSync(file, text)
  run.child.kill('SIGHUP')
  await until('what is not exchanged is named', () =>
    run.log().includes('service.telemetry is read at the start only; restart fovea to change it'),
  )
  run.child.kill('SIGTERM')
  assert.equal(await run.ended, 0)
})

test('a tape that cannot be written is a mistake of the command line', async () => {
  const file = write('tape.yaml', ENDLESS, '')
  const main = at('../../core/main.ts')
  const args = [main, 'run', '--config', file, '--record', join(folder, 'nowhere/x.tape')]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(status, 2)
  assert.match(stderr, /^cannot record: ENOENT/)
})

test('after a reload a tape goes on with the receivers of the start, and says so', async () => {
  const file = write('tape.yaml', ENDLESS, '')
  const run = start(file, '--record', join(folder, 'x.tape'))
  await until('it runs', () => run.log().includes('running'))
  write('tape.yaml', ENDLESS.replace('rows: 2', 'rows: 3'), '')
  run.child.kill('SIGHUP')
  await until('it goes over', () => run.log().includes('configuration reloaded'))
  assert.match(run.log(), /not recorded: the tape has the receivers as they were at the start/)
  run.child.kill('SIGTERM')
  assert.equal(await run.ended, 0)
})
