/**
 * A tape of the real kernel: an agent watches traffic on loopback of a private network while it
 * records; played without the kernel, the tape gives the very same rows.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inPrivateNetwork } from '../harness/netns.ts'
import { send, serve } from '../harness/traffic.ts'
import { until } from '../harness/until.ts'

const MAIN = fileURLToPath(new URL('../../core/main.ts', import.meta.url))
const PACKETS = 101
const PORT = 7801
const isRoot = process.getuid?.() === 0
const NO_ROOT = 'needs root to load a program'

if (!isRoot) test('a tape of the kernel', { skip: NO_ROOT }, () => {})
else if (await inPrivateNetwork(import.meta.url)) {
  test('a tape of the kernel gives the rows that were seen when it was recorded', async t => {
    const folder = mkdtempSync(join(tmpdir(), 'fovea_tape_'))
    t.after(() => rmSync(folder, { recursive: true }))
    const live = configuration(folder, 'flows', '{ interfaces: [lo], interval: 200ms }', 'live')
    const tape = join(folder, 'lo.tape.zst')
    const replayed = `{ path: ${tape}, speed: max }`
    const again = configuration(folder, 'replay', replayed, 'again')

    await serve(t, null, 'udp_serve', PORT, 'sink')
    const recorder = agent(live, '--record', tape)
    t.after(() => recorder.kill('SIGKILL'))
    const rows = () => linesOf(join(folder, 'live.jsonl'))
    await until('the agent to see a packet', () => {
      send(null, 'udp_send', '127.0.0.1', PORT, 1, 100)
      return rows().length > 0
    })
    send(null, 'udp_send', '127.0.0.1', PORT, PACKETS, 100, 40_001)
    await until('all packets', () => packetsFrom(rows(), 40_001) >= PACKETS)
    recorder.kill('SIGTERM')
    assert.deepEqual(await once(recorder, 'exit'), [0, null])

    const player = agent(again)
    t.after(() => player.kill('SIGKILL'))
    assert.deepEqual(await once(player, 'exit'), [0, null])
    const seen = rows()
    assert.equal(packetsFrom(seen, 40_001), PACKETS)
    assert.deepEqual(linesOf(join(folder, 'again.jsonl')), seen)
  })
}

function configuration(folder: string, type: string, options: string, name: string): string {
  const path = join(folder, `${name}.yaml`)
  writeFileSync(
    path,
    `receivers:
  ${type}: ${options}
exporters:
  flow_log: { path: ${join(folder, `${name}.jsonl`)} }
service:
  telemetry: { endpoint: "" }
  pipelines:
    all: { receivers: [${type}], exporters: [flow_log] }
`,
  )
  return path
}

function agent(config: string, ...more: string[]): ChildProcess {
  const args = [MAIN, 'run', '--config', config, ...more]
  return spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
}

type Line = Readonly<Record<string, unknown>>
function linesOf(path: string): Line[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return lines.map(line => JSON.parse(line))
}

/** Each packet on loopback leaves once and arrives once: `direction` 2 is the sender's. */
function packetsFrom(lines: readonly Line[], port: number): number {
  const sent = lines.filter(line => line.source_port === port && line.direction === 2)
  return sent.reduce((sum, line) => sum + Number(line.packets), 0)
}
