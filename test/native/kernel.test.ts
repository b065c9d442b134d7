/** One suite over the running kernel, a recorded one, and the twin that replays the recording. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BpfMap, type Kernel, KernelError, openKernel } from '../../native/index.ts'
import { goodPrograms, hostOf, MemoryTape, needsRoot } from './help.ts'
import { btfHash, probeCount, probeEvent, probeKey } from './probe/probe.generated.ts'

const skip = needsRoot
const entries = 501
const events = 3
const frames = 7
const offset = -4

/** Everything that the suite heard; equal for a kernel and its twin. */
interface Heard {
  readonly hash: string
  readonly shape: readonly number[]
  readonly numbers: readonly number[]
  readonly calls: number
  readonly taken: readonly number[]
  readonly ring: readonly number[]
  readonly iterated: readonly number[]
  readonly machine: unknown
}

function suite(kernel: Kernel): Heard {
  const object = kernel.openObject('probe.bpf.o', {
    programs: goodPrograms,
    settings: { events, offset, added: 2 },
    mapSizes: { table: 2048 },
  })
  const map = object.map('table')
  fill(map)
  const { numbers, calls } = readAll(map)
  const taken = takeTwice(map)
  object.testRun('probe_packet', { data: new Uint8Array(64), repeat: frames })
  const ring = drainAll(length => object.ring('ring').drain(length))
  const iterator = object.attachFirst(['probe_refused', 'probe_iterator'], { kind: 'iterator' })
  const iterated = [iterator.read!(new Uint8Array(16)), iterator.read!(new Uint8Array(1 << 20)) % 8]
  const machine = [
    kernel.enumNames('bpf_map_type', 'BPF_MAP_TYPE_').get(1),
    kernel.hasHelper('tc', 5),
    kernel.hasHelper('tc', 60_000),
    kernel
      .links()
      .list()
      .map(link => link.name),
    kernel.links().defaultRoutes(),
    iterator.program,
    kernel.clock(),
  ]
  kernel.close()
  kernel.close()
  const shape = [map.keySize, map.valueSize, map.entriesMax]
  return { hash: object.btfHash, shape, numbers, calls, taken, ring, iterated, machine }
}

function fill(map: BpfMap): void {
  for (let number = 1; number <= entries; number++) map.update(keyOf(number), countOf(number))
}

function keyOf(number: number): Uint8Array {
  const key = new Uint8Array(probeKey.size)
  new DataView(key.buffer).setUint32(probeKey.fields.number.offset, number, true)
  return key
}

function countOf(number: number): Uint8Array {
  const value = new Uint8Array(probeCount.size)
  new DataView(value.buffer).setBigUint64(probeCount.fields.packets.offset, BigInt(number), true)
  return value
}

/** The numbers of all entries, sorted; every value must belong to its key. */
function readAll(map: BpfMap): { numbers: number[]; calls: number } {
  const [keys, values] = [new Uint8Array(100 * map.keySize), new Uint8Array(100 * map.valueSize)]
  const cursor = { done: false, position: null }
  const numbers: number[] = []
  let calls = 0
  for (; !cursor.done; calls++) {
    const count = map.readBatch(cursor, keys, values)
    for (let i = 0; i < count; i++) {
      const number = new DataView(keys.buffer).getUint32(i * map.keySize, true)
      const value = new DataView(values.buffer).getBigUint64(i * map.valueSize, true)
      assert.equal(Number(value), number)
      numbers.push(number)
    }
  }
  assert.equal(map.readBatch(cursor, keys, values), 0, 'a finished cursor reads nothing')
  return { numbers: numbers.sort((a, b) => a - b), calls }
}

/** Look-up, take, and take again of one entry: found, found, gone. */
function takeTwice(map: BpfMap): number[] {
  const value = new Uint8Array(map.valueSize)
  const number = () => new DataView(value.buffer).getUint32(0, true)
  const heard: number[] = []
  for (const call of ['lookup', 'take', 'take', 'lookup'] as const) {
    value.fill(0)
    heard.push(map[call](keyOf(9), value) ? number() : -1)
  }
  return heard
}

/** The events of the ring as [data bytes, packet length, number], from small buffers. */
function drainAll(drain: (into: Uint8Array) => number): number[] {
  const into = new Uint8Array(100)
  const heard: number[] = []
  for (let length = drain(into); length > 0; length = drain(into)) {
    const view = new DataView(into.buffer)
    for (let at = 0; at < length; at += 8 + probeEvent.size) {
      assert.equal(view.getUint32(at + 4, true), 0)
      const data = at + 8
      heard.push(view.getUint32(at, true))
      heard.push(view.getUint32(data + probeEvent.fields.length.offset, true))
      heard.push(Number(view.getBigUint64(data + probeEvent.fields.time_ns.offset, true)))
    }
  }
  return heard
}

const expectedRing = Array.from({ length: frames * events }, (_, index) => [
  probeEvent.size,
  64 + offset,
  index % events,
]).flat()

function check(heard: Heard): void {
  assert.equal(heard.hash, btfHash)
  assert.deepEqual(heard.shape, [probeKey.size, probeCount.size, 2048])
  assert.deepEqual(
    heard.numbers,
    Array.from({ length: entries }, (_, index) => index + 1),
  )
  assert.ok(heard.calls >= entries / 100)
  assert.deepEqual(heard.taken, [9, 9, -1, -1])
  assert.deepEqual(heard.ring, expectedRing)
  assert.deepEqual(heard.iterated, [16, 0])
  const [mapType, hasTime, hasNone, names, , program] = heard.machine as unknown[]
  assert.deepEqual([mapType, hasTime, hasNone, program], ['HASH', true, false, 'probe_iterator'])
  assert.ok((names as string[]).includes('lo'))
}

test('the running kernel answers the whole suite', { skip }, () => {
  check(suite(openKernel(hostOf())))
})

test('the twin answers from a recording what the kernel answered while it was made', {
  skip,
}, () => {
  const tape = new MemoryTape()
  const recorded = suite(openKernel(hostOf(tape.recorder)))
  check(recorded)
  const replayed = suite(openKernel(hostOf(tape.player())))
  check(replayed)
  assert.deepEqual(replayed, recorded)
})

test('the batch of a recording may be read with smaller buffers', { skip }, () => {
  const tape = new MemoryTape()
  suite(openKernel(hostOf(tape.recorder)))
  const map = openKernel(hostOf(tape.player())).openObject('probe.bpf.o').map('table')
  const [keys, values] = [new Uint8Array(7 * map.keySize), new Uint8Array(7 * map.valueSize)]
  const cursor = { done: false, position: null }
  let count = 0
  while (!cursor.done) count += map.readBatch(cursor, keys, values)
  assert.equal(count, entries)
})

test('a per-CPU map gives the values of all possible processors', { skip }, t => {
  const kernel = openKernel(hostOf())
  t.after(() => kernel.close())
  const map = kernel.openObject('probe.bpf.o', { programs: ['probe_second'] }).map('per_cpu')
  const processors = map.valueSize / 8
  assert.ok(Number.isInteger(processors) && processors >= 1)
  const [key, value, read] = [
    new Uint8Array(4),
    new Uint8Array(map.valueSize),
    new Uint8Array(map.valueSize),
  ]
  for (let cpu = 0; cpu < processors; cpu++) value[cpu * 8] = cpu + 1
  map.update(key, value)
  assert.ok(map.lookup(key, read))
  assert.deepEqual(read, value)
})

test('buffers that are too small are refused and lose nothing', { skip }, t => {
  const kernel = openKernel(hostOf())
  t.after(() => kernel.close())
  const object = kernel.openObject('probe.bpf.o', { programs: ['probe_packet'] })
  const map = object.map('table')
  const ring = object.ring('ring')
  fill(map)
  const [key, value] = [new Uint8Array(map.keySize), new Uint8Array(map.valueSize)]
  const short = { code: 'EINVAL', message: /at least \d+ bytes/ }
  assert.throws(() => map.lookup(key.subarray(1), value), short)
  assert.throws(() => map.lookup(key, value.subarray(1)), short)
  assert.throws(() => map.update(key, new Uint8Array()), short)
  assert.throws(
    () => map.readBatch({ done: false, position: null }, new Uint8Array(7), value),
    short,
  )
  object.testRun('probe_packet', { data: new Uint8Array(64), repeat: 1 })
  for (const size of [0, 39]) {
    assert.throws(() => ring.drain(new Uint8Array(size)), { code: 'ENOSPC' })
  }
  assert.equal(ring.drain(new Uint8Array(40)), 40)
  const single = { done: false, position: null }
  let count = 0
  while (!single.done) count += map.readBatch(single, key, value)
  assert.equal(count, entries, 'one entry at a time reaches all')
})

test('a full ring refuses, counts in the program, and drains exactly what it took', { skip }, t => {
  const kernel = openKernel(hostOf())
  t.after(() => kernel.close())
  const settings = { events: 8 }
  const object = kernel.openObject('probe.bpf.o', { programs: ['probe_packet'], settings })
  const sent = 8 * 1000
  object.testRun('probe_packet', { data: new Uint8Array(64), repeat: 1000 })
  const [key, refused] = [Uint8Array.of(7, 0, 0, 0), new Uint8Array(8)]
  object.map('seen').lookup(key, refused)
  let drained = 0
  const into = new Uint8Array(4096)
  for (let length = 1; length > 0; drained += length / 40) length = object.ring('ring').drain(into)
  assert.ok(drained > 1000)
  assert.equal(drained + new DataView(refused.buffer).getUint32(0, true), sent)
})

test('what cannot be named is an error that names it', { skip }, t => {
  const kernel = openKernel(hostOf())
  t.after(() => kernel.close())
  const open = (options: object) => () => kernel.openObject('probe.bpf.o', options)
  assert.throws(open({ settings: { nothing: 1 } }), {
    message: 'probe.bpf.o: it has no setting nothing',
  })
  assert.throws(
    open({ settings: { verdict: 256 } }),
    /setting verdict: 256 is not a whole number from 0 to 255/,
  )
  assert.throws(open({ settings: { offset: 0.5 } }), RangeError)
  assert.throws(open({ mapSizes: { nothing: 1 } }), {
    message: 'probe.bpf.o: it has no map nothing',
  })
  assert.throws(open({ programs: ['nothing'] }), {
    message: 'probe.bpf.o: it has no program nothing',
  })
  const object = kernel.openObject('probe.bpf.o', { programs: ['probe_second'] })
  assert.throws(() => object.map('nothing'), /no map nothing/)
  assert.throws(() => object.ring('table'), /table is no ring buffer/)
  assert.throws(() => object.attach('nothing', { kind: 'tp_btf' }), /no program nothing/)
  assert.throws(() => object.attach('probe_raw', { kind: 'tp_btf' }), /the program is not loaded/)
  object.close()
  object.close()
  assert.throws(() => object.map('table').lookup(new Uint8Array(8), new Uint8Array(24)), {
    code: 'EBADF',
  })
})

test('a program that the verifier refuses is left out and says why when it is attached', {
  skip,
}, t => {
  const kernel = openKernel(hostOf())
  t.after(() => kernel.close())
  const programs = ['probe_refused', 'probe_second']
  const object = kernel.openObject('probe.bpf.o', { programs })
  assert.equal(
    object.testRun('probe_second', { data: new Uint8Array(64) }).returnValue,
    2 ** 32 - 1,
  )
  const verifier = 'invalid bpf_context access off=4096 size=8'
  const why = `cannot load program probe_refused of probe.bpf.o: ${verifier} (EACCES)`
  const target = { kind: 'tc', ifindex: 1, direction: 'ingress' } as const
  assert.throws(() => object.attach('probe_refused', target), { message: why })
  assert.throws(() => object.attachFirst(['probe_refused'], target), { message: why })
  assert.throws(
    () => kernel.openObject('probe.bpf.o', { programs: ['probe_refused'] }),
    error => error instanceof KernelError && error.message === why && error.remedy !== '',
  )
})

test('both clocks are those of this machine', { skip }, t => {
  const kernel = openKernel(hostOf())
  t.after(() => kernel.close())
  const before = [Number(process.hrtime.bigint()) / 1e3, Date.now() * 1e3 - 1e3]
  const { monotonicUs, unixUs } = kernel.clock()
  const after = [Number(process.hrtime.bigint()) / 1e3, Date.now() * 1e3 + 1e3]
  assert.ok(before[0]! <= monotonicUs && monotonicUs <= after[0]!)
  assert.ok(before[1]! <= unixUs && unixUs <= after[1]!)
})
