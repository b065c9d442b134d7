/**
 * Replay over tapes that core's own writer made: the rows that were recorded come out again, in
 * their order and at their times, and a tape that is wrong says so.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  type Batch,
  BatchWriter,
  defineReceiver,
  type Receiver,
  type ReceiverDefinition,
  type Tape,
  TapeWriter,
} from '../../core/index.ts'
import replay from '../../receivers/replay/index.ts'
import { testHost } from '../harness/host.ts'

const COLUMNS = { time_us: 'number', value: 'number' } as const
const folder = mkdtempSync(join(tmpdir(), 'replay_'))
after(() => rmSync(folder, { recursive: true, force: true }))

/**
 * The world of these tests: each question is answered by the next number; `finish` asks for the
 * last one.
 */
const counter = defineReceiver({
  summary: 'Numbers from outside',
  stability: 'stable',
  config: { step: { type: 'integer', default: 1, description: 'Added each time.' } },
  emits: COLUMNS,
  open(config, host) {
    let next = 0
    let held = false
    const ask = (key: string): number | null => {
      if (host.tape?.mode === 'replay') return host.tape.next(key)?.[0] ?? null
      next += config.step
      host.tape?.append(key, Uint8Array.of(next))
      return next
    }
    const receiver: Receiver = {
      read() {
        const value = ask(held ? 'last' : 'number')
        if (held && host.tape?.mode === 'record') held = false
        return value === null ? null : batchOf(host.id, value)
      },
      finish() {
        held = true
      },
      close() {},
    }
    return receiver
  },
})

function batchOf(table: string, value: number): Batch {
  const writer = new BatchWriter(table, COLUMNS, 1)
  writer.data.value[0] = value
  writer.length = 1
  return writer.done()
}

/** Writes a tape of one reading per name, in that order; the given milliseconds apart. */
async function record(
  names: readonly string[],
  options: { apartMs?: number; finish?: boolean; step?: number } = {},
): Promise<string> {
  const path = join(folder, `${names.length}_${Math.random().toString(36).slice(2)}.tape`)
  const ids = [...new Set(names)]
  const config = { step: options.step ?? 1 }
  const streams = ids.map(id => ({ id, type: 'counter', config, tables: { [id]: COLUMNS } }))
  const writer = new TapeWriter(path, streams)
  const receivers = new Map<string, Receiver>()
  for (const id of ids) {
    const host = testHost({ id, tape: writer.stream(id) })
    receivers.set(id, await counter.open(config, host))
  }
  for (const name of names) {
    await new Promise(resolve => setTimeout(resolve, options.apartMs ?? 0))
    receivers.get(name)!.read(1)
  }
  if (options.finish) {
    for (const receiver of receivers.values()) {
      receiver.finish?.()
      receiver.read(1)
    }
  }
  await writer.close()
  return path
}

type Config = Parameters<typeof replay.open>[0]
function open(config: Partial<Config> & { path: string }) {
  const receiver = (type: string) =>
    type === 'counter'
      ? Promise.resolve(counter as unknown as ReceiverDefinition)
      : Promise.reject(new Error(`there is no receiver "${type}"`))
  const host = testHost({ id: 'replay', receiver })
  const opened = replay.open({ speed: 'max', stream: undefined, ...config }, host)
  return Promise.resolve(opened).then(value => ({ replayed: value, host }))
}

/** Every row until the receiver says that it ended, as `table:value`. */
async function play(replayed: Receiver): Promise<string[]> {
  const rows: string[] = []
  const deadline = Date.now() + 20_000
  while (!replayed.ended?.()) {
    assert.ok(Date.now() < deadline, 'the replay never ended')
    for (let batch = replayed.read(100); batch; batch = replayed.read(100)) {
      rows.push(`${batch.table}:${(batch.data.value as Float64Array)[0]}`)
    }
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  return rows
}

test('the recorded rows come out again, with the configuration of then', async () => {
  const path = await record(['a', 'a', 'a'], { step: 7 })
  const { replayed } = await open({ path })
  assert.deepEqual(await play(replayed), ['a:7', 'a:14', 'a:21'])
  await replayed.close()
  await replayed.close()
})

test('what a receiver held until its end comes out at the end of the tape', async () => {
  const path = await record(['a', 'a'], { finish: true })
  const { replayed } = await open({ path })
  assert.deepEqual(await play(replayed), ['a:1', 'a:2', 'a:3'])
})

test('several streams keep the order of their times', async () => {
  const path = await record(['a', 'b', 'b', 'a', 'b'], { apartMs: 3 })
  const { replayed } = await open({ path })
  assert.deepEqual(await play(replayed), ['a:1', 'b:1', 'b:2', 'a:2', 'b:3'])
})

test('one stream can be chosen; one that is not there is named with those that are', async () => {
  const path = await record(['a', 'b'])
  const { replayed } = await open({ path, stream: 'b' })
  assert.deepEqual(await play(replayed), ['b:1'])
  await assert.rejects(open({ path, stream: 'c' }), {
    name: 'ConfigError',
    message: 'the tape has no stream "c"; it holds a, b',
  })
})

test('at recorded speed no row comes before its time', async () => {
  const path = await record(['a', 'a', 'a'], { apartMs: 60 })
  const { replayed } = await open({ path, speed: 'recorded' })
  const started = performance.now()
  await play(replayed)
  assert.ok(performance.now() - started >= 120)
})

test('a stop in the middle ends there, without the rest of the tape', async () => {
  const path = await record(['a', 'a', 'a', 'a'], { finish: true })
  const { replayed } = await open({ path })
  assert.ok(replayed.read(1))
  replayed.finish?.()
  assert.deepEqual(await play(replayed), [])
  assert.equal(replayed.ended?.(), true)
})

test('emits is what the tape says, and streams that differ must be chosen', () => {
  const path = join(folder, 'tables.tape')
  const header = (columns: object) =>
    `fovea tape 1\n${JSON.stringify([
      { id: 'a', type: 'counter', config: {}, tables: { flows: COLUMNS } },
      { id: 'b', type: 'counter', config: {}, tables: { flows: columns, drops: COLUMNS } },
    ])}\n`
  const { emits } = replay
  assert.ok(typeof emits === 'function')
  writeFileSync(path, header(COLUMNS))
  const config = { path, speed: 'max', stream: undefined } as const
  assert.deepEqual(emits(config), { flows: COLUMNS, drops: COLUMNS })
  writeFileSync(path, header({ time_us: 'number' }))
  assert.throws(() => emits(config), /differ in the columns of flows \(seen in b\)/)
  assert.deepEqual(emits({ ...config, stream: 'a' }), { flows: COLUMNS })
})

test('a tape that is missing, of another kind or cut off says so', async () => {
  await assert.rejects(open({ path: join(folder, 'none.tape') }), { name: 'ConfigError' })
  const other = join(folder, 'other.tape')
  writeFileSync(other, 'hello\nworld\n')
  await assert.rejects(open({ path: other }), /not a tape/)
  const path = await record(['a', 'a'])
  truncateSync(path, statSync(path).size - 1)
  const { replayed, host } = await open({ path })
  assert.deepEqual(await play(replayed), ['a:1'])
  assert.equal(host.lines.filter(line => line.level === 'warn').length, 1)
})

test('answers that nobody asks for do not keep the replay alive', async () => {
  const path = join(folder, 'unasked.tape')
  const writer = new TapeWriter(path, [
    { id: 'a', type: 'counter', config: { step: 1 }, tables: { a: COLUMNS } },
  ])
  const tape: Tape = writer.stream('a')
  tape.append('number', Uint8Array.of(1))
  tape.append('of an older version', Uint8Array.of(9))
  await writer.close()
  const { replayed, host } = await open({ path })
  assert.deepEqual(await play(replayed), ['a:1'])
  assert.equal(host.counts.left_unplayed, 1)
})
