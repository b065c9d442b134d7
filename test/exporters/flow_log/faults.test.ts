/**
 * The flow log under faults: a process killed in the middle of a line, a disk that is full, a
 * deadline. What must hold after each: whole lines only, none lost, none twice.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { flows, folder, newPath, openLog, readLines, until, write } from './logs.ts'

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

test('after a deadline the retry goes on at the line where it stopped', async () => {
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
  const child = spawn(process.execPath, [join(import.meta.dirname, 'writer_process.ts'), path], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
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
