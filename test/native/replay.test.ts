/** The twin alone: no kernel, no rights, no addon. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KernelError, openKernel } from '../../native/index.ts'
import { keyOf, writeClock, writeText } from '../../native/tape_format.ts'
import { hostOf, MemoryTape } from './help.ts'
import { btfHash } from './probe/probe.generated.ts'

function openTape(...answers: [string, Uint8Array][]) {
  const tape = new MemoryTape()
  tape.recorder.append(keyOf.open('probe.bpf.o'), writeText(btfHash))
  for (const [key, bytes] of answers) tape.recorder.append(key, bytes)
  return openKernel(hostOf(tape.player()))
}

test('a tape that has run dry leaves maps and rings empty and everything else as it was', () => {
  const kernel = openTape([keyOf.clock, writeClock({ monotonicUs: 5, unixUs: 7.5 }, 0)])
  const object = kernel.openObject('probe.bpf.o', { settings: { events: 1 } })
  const map = object.map('table')
  const cursor = { done: false, position: null }
  const bytes = new Uint8Array(64)
  assert.equal(map.readBatch(cursor, bytes, bytes), 0)
  assert.equal(cursor.done, true)
  assert.equal(map.lookup(bytes, bytes), false)
  assert.equal(map.take(bytes, bytes), false)
  assert.equal(object.ring('ring').drain(bytes), 0)
  assert.deepEqual([kernel.clock(), kernel.clock()], Array(2).fill({ monotonicUs: 5, unixUs: 7.5 }))
  assert.deepEqual(kernel.links().list(), [])
  assert.deepEqual(kernel.links().defaultRoutes(), [])
  assert.equal(kernel.enumNames('skb_drop_reason').size, 0)
  assert.equal(kernel.hasHelper('tc', 1), false)
  map.update(bytes, bytes)
  assert.equal(map.delete(bytes), true)
  const attached = object.attachFirst(['probe_second', 'probe_packet'], { kind: 'tp_btf' })
  assert.deepEqual([attached.program, attached.via], ['probe_second', 'replay'])
  attached.close()
  attached.close()
  object.close()
  kernel.close()
})

test('a recording of another build is refused and both hashes are named', () => {
  const tape = new MemoryTape()
  const other = '0123456789abcdef'
  tape.recorder.append(keyOf.open('probe.bpf.o'), writeText(other))
  assert.throws(() => openKernel(hostOf(tape.player())).openObject('probe.bpf.o'), {
    message:
      `cannot replay probe.bpf.o: it was recorded with BTF ${other}, ` +
      `this build has ${btfHash}`,
  })
})

test('a recording without the object is refused', () => {
  const kernel = openKernel(hostOf(new MemoryTape().player()))
  assert.throws(() => kernel.openObject('probe.bpf.o'), KernelError)
})

test('links that changed while recording call back at the same clock answer', async () => {
  const time = { monotonicUs: 1, unixUs: 1 }
  const kernel = openTape(
    [keyOf.clock, writeClock(time, 0)],
    [keyOf.clock, writeClock(time, 1)],
    [keyOf.clock, writeClock(time, 1)],
  )
  const links = kernel.links()
  const heard: number[] = []
  links.onChange(() => heard.push(heard.length))
  for (const expected of [0, 1]) {
    kernel.clock()
    await null
    assert.equal(heard.length, expected)
  }
  links.close()
  kernel.clock()
  await null
  assert.equal(heard.length, 1, 'not after close')
})

test('replay loads no addon', () => {
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] }
  assert.ok(sharedObjects.length > 0)
  assert.deepEqual(
    sharedObjects.filter(path => path.endsWith('fovea.node')),
    [],
  )
})
