/**
 * The examples as a stranger uses them: Fovea and the three packages are packed, installed into an
 * empty project, and run there through `npx fovea`. Also a folder of TypeScript, and the types.
 */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Longest that npm may take for one thing. */
const NPM_MS = 90_000
const root = fileURLToPath(new URL('..', import.meta.url))
const examples = ['receiver_connections', 'processor_site_names', 'exporter_webhook']
const packages = ['connections', 'site-names', 'webhook'].map(name => `fovea-example-${name}`)

describe('the examples, installed into an empty project', { timeout: 240_000 }, () => {
  const project = mkdtempSync(join(tmpdir(), 'fovea_examples_'))
  after(() => rmSync(project, { recursive: true, force: true }))

  before(async () => {
    const packed: string[] = []
    for (const folder of ['.', ...examples.map(name => `examples/${name}`)]) {
      const args = ['pack', '--silent', '--pack-destination', project]
      const { stdout } = await run('npm', args, { cwd: join(root, folder), timeout: NPM_MS })
      packed.push(`./${stdout.trim().split('\n').at(-1)}`)
    }
    writeFileSync(join(project, 'package.json'), '{ "private": true }')
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
    await run('npm', ['install', ...flags, ...packed], { cwd: project, timeout: NPM_MS })
  })

  test('their own tests pass there', async () => {
    for (const name of packages) {
      // Not by `node --test`, which looks at nothing below node_modules.
      const args = ['--test-reporter=tap', `node_modules/${name}/index.test.js`]
      const env = { ...process.env, NODE_TEST_CONTEXT: '' }
      const { stdout } = await run(process.execPath, args, { cwd: project, env })
      assert.match(stdout, /^# pass [1-9]/m)
      assert.match(stdout, /^# fail 0$/m)
    }
  })

  test('one pipeline runs over all three, and the feed follows its file', async () => {
    const config = `
plugins: [${packages.join(', ')}]
receivers:
  connections: { interval: 100ms, path: tcp }
processors:
  site_names: { path: sites.csv }
exporters:
  webhook: { url: "\${env:WEBHOOK}" }
service:
  pipelines:
    sites: { receivers: [connections], processors: [site_names], exporters: [webhook] }
`
    writeFileSync(join(project, 'agent.yaml'), config)
    writeFileSync(join(project, 'tcp'), '  0: 0100007F:1F40 0200010A:01BB 01 0\n')
    writeFileSync(join(project, 'sites.csv'), '10.0.0.0/8,office\n')
    const hook = await openWebhook()
    const agent = runFovea(project, 'agent.yaml', { WEBHOOK: hook.url })
    try {
      const row = await hook.rowWith('office', agent)
      assert.ok(Number(row.time_us) > 1.7e15)
      assert.deepEqual(
        { ...row, time_us: 0 },
        {
          time_us: 0,
          source_address: '127.0.0.1',
          destination_address: '10.1.0.2',
          source_port: 8000,
          destination_port: 443,
          protocol: 6,
          source_site: '',
          destination_site: 'office',
        },
      )
      writeFileSync(join(project, 'sites.csv'), '10.0.0.0/8,office\n10.1.0.0/16,berlin\n')
      await hook.rowWith('berlin', agent)
      agent.child.kill('SIGTERM')
      assert.deepEqual(await agent.exit, 0, agent.output())
    } finally {
      agent.child.kill('SIGKILL')
      await hook.close()
    }
  })

  test('a folder of TypeScript is a plugin, and sees fovea/native', async () => {
    const folder = join(project, 'answer')
    cpSync(join(root, 'test/harness/answer_plugin'), folder, { recursive: true })
    writeFileSync(
      join(project, 'answer.yaml'),
      `
plugins: [./answer]
receivers:
  answer: {}
exporters:
  flow_log: { path: answer.jsonl }
service:
  pipelines:
    answer: { receivers: [answer], exporters: [flow_log] }
`,
    )
    const agent = runFovea(project, 'answer.yaml', {})
    assert.equal(await agent.exit, 0, agent.output())
    const [line] = readFileSync(join(project, 'answer.jsonl'), 'utf8').split('\n')
    const { metric, value } = JSON.parse(line)
    assert.deepEqual([metric, value], ['function', 42])
  })

  test('both entries can be imported by a program, as ES module and as CommonJS', async () => {
    const program = `
      import { BatchWriter, defineReceiver } from 'fovea'
      import { openKernel } from 'fovea/native'
      import { createRequire } from 'node:module'
      const same = createRequire(import.meta.url)('fovea').BatchWriter === BatchWriter
      console.log(typeof defineReceiver, typeof openKernel, same)`
    writeFileSync(join(project, 'program.mjs'), program)
    const { stdout } = await run(process.execPath, ['program.mjs'], { cwd: project })
    assert.equal(stdout.trim(), 'function function true')
  })

  test('the types of both entries are those of the sources', async () => {
    const wrong = `
import { defineReceiver } from 'fovea'
export default defineReceiver({ summary: 'no config, no emits, no open' })
`
    mkdirSync(join(project, 'typed'), { recursive: true })
    cpSync(join(root, 'test/harness/answer_plugin/index.ts'), join(project, 'typed/right.ts'))
    writeFileSync(join(project, 'typed/wrong.ts'), wrong)
    const types = join(root, 'node_modules/@types')
    const flags = `--noEmit --strict --skipLibCheck --target esnext --module nodenext --types node
      --typeRoots ${types}`.split(/\s+/)
    const check = (file: string) =>
      run(join(root, 'node_modules/.bin/tsc'), [...flags, `typed/${file}`], { cwd: project })
    await check('right.ts')
    await assert.rejects(check('wrong.ts'), error => {
      const { stdout } = error as { stdout: string }
      assert.match(stdout, /missing the following properties.*: stability, config, emits, open/)
      return true
    })
  })
})

function runFovea(cwd: string, config: string, env: Readonly<Record<string, string>>) {
  assert.ok(existsSync(join(cwd, 'node_modules/.bin/fovea')))
  const child = spawn('node_modules/.bin/fovea', ['run', '--config', config], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', data => {
      output += data
    })
  }
  const exit = once(child, 'exit').then(([code, signal]) => code ?? signal)
  return { child, exit, output: () => output }
}

type Row = Readonly<Record<string, unknown>>

/** A server that keeps the rows posted to it. */
async function openWebhook() {
  const rows: Row[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    rows.push(...JSON.parse(body).rows)
    response.writeHead(200, { connection: 'close' }).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async rowWith(site: string, agent: ReturnType<typeof runFovea>): Promise<Row> {
      const deadline = Date.now() + 30_000
      for (;;) {
        const row = rows.find(candidate => candidate.destination_site === site)
        if (row !== undefined) return row
        assert.ok(Date.now() < deadline, `no row of ${site}; the agent said: ${agent.output()}`)
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
