/**
 * The flow log against real files: what is in a line, and what happens to the file when it rotates, when the
 * disk is full, when someone renames it, and when the process that writes it is killed.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Batch, Exporter } from '../../core/index.ts'
import flowLog from '../../exporters/flow_log/index.ts'
import { batchOf } from '../harness/flow_batch.ts'
import { type TestHost, testHost } from '../harness/host.ts'

const ROTATE = { size: 0, age: 0, keep: 8, compression: 'none' as const }
const CONFIG = { omit_empty: true, fsync: 'never' as const, rotate: ROTATE }
const COLUMNS = {
  time_us: 'number',
  start_us: 'number',
  interface: 'u32',
  source_address: 'address',
  destination_address: 'address',
  source_port: 'u16',
  destination_port: 'u16',
  protocol: 'u8',
  packets: 'number',
  bytes: 'number',
  source_pod: 'text',
} as const
const NEVER = new AbortController().signal
const folder = mkdtempSync(join(tmpdir(), 'flow_log_'))
after(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
function newPath(): string {
  return join(folder, `test_${files++}`, 'flows.jsonl')
}

function flows(count: number, first = 0, pod = 'web-1'): Batch {
  const rows = Array.from({ length: count }, (_, i) => ({
    time_us: 1_700_000_000_000_000 + first + i,
    source_address: '10.0.0.1',
    destination_address: '2001:db8::1',
    source_port: 40000,
    destination_port: 443,
    protocol: 6,
    packets: first + i,
    bytes: 1400,
    source_pod: pod,
  }))
  return batchOf('flows', COLUMNS, rows)
}

type Config = Parameters<typeof flowLog.open>[0]
async function openLog(config: Partial<Config> & { path: string }): Promise<[Exporter, TestHost]> {
  const host = testHost({ id: 'flow_log' })
  return [await flowLog.open({ ...CONFIG, ...config }, host), host]
}

function write(exporter: Exporter, batch: Batch, signal = NEVER): Promise<void> {
  return Promise.resolve(exporter.write(batch, { signal, series: undefined }))
}

interface Line {
  readonly [column: string]: unknown
  readonly packets: number
}
function linesOf(text: string): Line[] {
  if (text !== '') assert.equal(text.at(-1), '\n')
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
}
function readLines(path: string): Line[] {
  return linesOf(readFileSync(path, 'utf8'))
}

/** Rotated files next to `path`, oldest first. */
function rotatedOf(path: string): string[] {
  const parent = join(path, '..')
  const names = readdirSync(parent).filter(name => name !== 'flows.jsonl')
  return names.sort().map(name => join(parent, name))
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    assert.ok(Date.now() < deadline, `never came: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

test('a row is one line: time, table, tuple and counts first, then the other columns in their order', async () => {
  const path = newPath()
  const [log] = await openLog({ path })
  await write(log, flows(1, 123456))
  await log.close()
  assert.equal(
    readFileSync(path, 'utf8'),
    '{"time":"2023-11-14T22:13:20.123456Z","table":"flows","time_us":1700000000123456,' +
      '"source_address":"10.0.0.1","source_port":40000,"destination_address":"2001:db8::1",' +
      '"destination_port":443,"protocol":6,"packets":123456,"bytes":1400,"source_pod":"web-1"}\n',
  )
  assert.equal(statSync(path).mode & 0o777, 0o640)
})

test('with omit_empty off, every column is in every line', async () => {
  const path = newPath()
  const [log] = await openLog({ path, omit_empty: false })
  await write(log, batchOf('flows', COLUMNS, [{ time_us: 1 }]))
  await log.close()
  const [line] = readLines(path)
  assert.deepEqual(Object.keys(line).slice(2).sort(), Object.keys(COLUMNS).sort())
  assert.equal(line.source_pod, '')
  assert.equal(line.source_address, '::')
  assert.equal(line.start_us, 0)
})

test('a file that would grow beyond rotate.size is rotated between lines, and keep bounds the old ones', async () => {
  const path = newPath()
  const [log, host] = await openLog({ path, rotate: { ...ROTATE, size: 600_000, keep: 3 } })
  for (let i = 0; i < 12; i++) await write(log, flows(1000, i * 1000))
  await log.close()
  const kept = [...rotatedOf(path), path]
  assert.equal(kept.length, 4)
  for (const file of kept) assert.ok(statSync(file).size <= 600_000)
  const packets = kept.flatMap(file => readLines(file).map(line => line.packets))
  const first = packets[0]
  assert.deepEqual(
    packets,
    Array.from({ length: 12_000 - first }, (_, i) => first + i),
  )
  assert.ok(host.counts.rotated > 3)
})

for (const [compression, unpack] of [
  ['gzip', gunzipSync],
  ['zstd', zstdDecompressSync],
] as const) {
  test(`rotated files become ${compression}, whole, and the original goes`, async () => {
    const path = newPath()
    const [log, host] = await openLog({ path, rotate: { ...ROTATE, size: 300_000, compression } })
    for (let i = 0; i < 3; i++) await write(log, flows(1000, i * 1000))
    const ending = compression === 'gzip' ? '.gz' : '.zst'
    await until('compressed files', () => {
      const rotated = rotatedOf(path)
      return rotated.length === host.counts.rotated && rotated.every(name => name.endsWith(ending))
    })
    await log.close()
    const old = rotatedOf(path).flatMap(file => linesOf(unpack(readFileSync(file)).toString()))
    const packets = [...old, ...readLines(path)].map(line => line.packets)
    assert.deepEqual(
      packets,
      Array.from({ length: 3000 }, (_, i) => i),
    )
  })
}

test('a file older than rotate.age is rotated with the next write', async () => {
  const path = newPath()
  const [log] = await openLog({ path, rotate: { ...ROTATE, age: 1 } })
  await write(log, flows(1, 1))
  const born = Date.now()
  await until('two milliseconds', () => Date.now() > born + 2)
  await write(log, flows(1, 2))
  await log.close()
  assert.deepEqual(
    rotatedOf(path)
      .flatMap(readLines)
      .map(line => line.packets),
    [1],
  )
  assert.deepEqual(
    readLines(path).map(line => line.packets),
    [2],
  )
})

test('compression that a stop or a kill left over is taken up at the next start', async () => {
  const path = newPath()
  const [first] = await openLog({ path, rotate: { ...ROTATE, size: 500 } })
  await write(first, flows(2, 0))
  await write(first, flows(2, 2))
  await first.close()
  const [old] = rotatedOf(path)
  writeFileSync(`${old}.gz.part`, 'half')
  const [second] = await openLog({ path, rotate: { ...ROTATE, size: 500, compression: 'gzip' } })
  await until('the compressed file', () => !existsSync(old) && existsSync(`${old}.gz`))
  await second.close()
  assert.deepEqual(rotatedOf(path), [`${old}.gz`])
})

test('a file that was renamed away is begun anew, and the renamed one keeps its lines', async () => {
  const path = newPath()
  const [log, host] = await openLog({ path })
  await write(log, flows(1, 1))
  renameSync(path, `${path}.1`)
  await write(log, flows(1, 2))
  await log.close()
  assert.deepEqual(
    readLines(`${path}.1`).map(line => line.packets),
    [1],
  )
  assert.deepEqual(
    readLines(path).map(line => line.packets),
    [2],
  )
  assert.equal(host.counts.reopened, 1)
})

test('a half-written last line is removed at the start, counted and logged', async () => {
  const path = newPath()
  const [first] = await openLog({ path })
  await write(first, flows(3))
  await first.close()
  truncateSync(path, statSync(path).size - 20)
  const [second, host] = await openLog({ path })
  await write(second, flows(1, 3))
  await second.close()
  assert.deepEqual(
    readLines(path).map(line => line.packets),
    [0, 1, 3],
  )
  assert.equal(host.counts.half_line_removed, 1)
  assert.equal(host.lines.filter(line => line.message.includes('half-written')).length, 1)
})

test('a last line that is not ours is kept and ended, never cut', async () => {
  const path = newPath()
  const [first] = await openLog({ path })
  await first.close()
  appendFileSync(path, 'notes of an operator')
  const [second, host] = await openLog({ path })
  await write(second, flows(1))
  await second.close()
  assert.match(readFileSync(path, 'utf8'), /^notes of an operator\n\{"time":/)
  assert.equal(host.counts.half_line_removed, undefined)
})

test('a deadline that passed leaves whole lines, and the retry goes on where it stopped', async () => {
  const path = newPath()
  const [log] = await openLog({ path })
  const batch = flows(3000)
  const deadline = new AbortController()
  const attempt = write(log, batch, deadline.signal)
  await until('the first lines', () => statSync(path).size > 0)
  deadline.abort()
  const failed = await attempt.then(
    () => undefined,
    (error: Error) => error.name,
  )
  if (failed !== undefined) assert.equal(failed, 'RetryableError')
  await write(log, batch)
  await log.close()
  const packets = readLines(path).map(line => line.packets)
  assert.deepEqual(
    packets.slice(0, 3000),
    Array.from({ length: 3000 }, (_, i) => i),
  )
})

test('writing after close is refused, and close is safe twice', async () => {
  const [log] = await openLog({ path: newPath() })
  await log.close()
  await log.close()
  await assert.rejects(write(log, flows(1)), { name: 'PermanentError' })
})

test('a folder that cannot be written is explained at the start', async () => {
  const path = newPath()
  const [log] = await openLog({ path })
  await log.close()
  await assert.rejects(openLog({ path: join(path, 'flows.jsonl') }), error => {
    assert.equal((error as Error).name, 'EnvironmentError')
    assert.match((error as { remedy: string }).remedy, /choose another path/)
    return true
  })
})

const isRoot = process.getuid?.() === 0
test('a full disk is a retry without a lost, torn or doubled line', {
  skip: !isRoot && 'needs root to mount a small tmpfs',
}, async () => {
  const mount = mkdtempSync(join(folder, 'small_'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount])
  try {
    const path = join(mount, 'flows.jsonl')
    const ballast = join(mount, 'ballast')
    writeFileSync(ballast, Buffer.alloc(700 << 10))
    const [log, host] = await openLog({ path })
    const batch = flows(3000)
    await assert.rejects(write(log, batch), { name: 'RetryableError' })
    await assert.rejects(write(log, batch), { name: 'RetryableError' })
    const before = readLines(path)
    assert.ok(before.length > 0 && before.length < 3000)
    rmSync(ballast)
    await write(log, batch)
    await log.close()
    const packets = readLines(path).map(line => line.packets)
    assert.deepEqual(
      packets,
      Array.from({ length: 3000 }, (_, i) => i),
    )
    assert.equal(host.counts.disk_full, 2)
    assert.equal(host.lines.filter(line => line.level === 'error').length, 1)
  } finally {
    execFileSync('umount', [mount])
  }
})

test('after kill -9 the file holds whole lines once the log was opened again', async () => {
  const path = newPath()
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'flow_log/writer_process.ts'), path],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  )
  await until('some lines of the child', () => existsSync(path) && statSync(path).size > 1 << 20)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const [log] = await openLog({ path })
  await write(log, flows(1, -1))
  await log.close()
  const packets = readLines(path).map(line => line.packets)
  assert.equal(packets.pop(), -1)
  assert.deepEqual(
    packets,
    Array.from({ length: packets.length }, (_, i) => i),
  )
})
