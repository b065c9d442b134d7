/**
 * The flow log against real files: what is in a line, how files rotate and are packed, and what
 * happens when someone else moves them.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { batchOf } from '../harness/flow_batch.ts'
import {
  COLUMNS,
  flows,
  folder,
  linesOf,
  newPath,
  openLog,
  ROTATE,
  readLines,
  rotatedOf,
  until,
  write,
} from './flow_log/logs.ts'

test('a row is one line: time, table, tuple and counts first, then the other columns', async () => {
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

test('files stay below rotate.size, lines are whole, and keep bounds the old ones', async () => {
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

test('a batch larger than rotate.size is spread over files, none of them larger', async () => {
  const path = newPath()
  const [log] = await openLog({ path, rotate: { ...ROTATE, size: 4096, keep: 1000 } })
  await write(log, flows(500))
  await log.close()
  const files = [...rotatedOf(path), path]
  for (const file of files) assert.ok(statSync(file).size <= 4096)
  const packets = files.flatMap(file => readLines(file).map(line => line.packets))
  assert.deepEqual(
    packets,
    Array.from({ length: 500 }, (_, i) => i),
  )
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

test('a file that was renamed away keeps its lines, and a new one is begun', async () => {
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

test('a pipe or a device is refused at the start, not written to until it blocks', async () => {
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  for (const path of [pipe, '/dev/null']) {
    await assert.rejects(openLog({ path }), {
      name: 'EnvironmentError',
      message: `cannot open ${path}: ${path} is a pipe, a socket or a device`,
    })
  }
})
