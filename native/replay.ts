/**
 * The twin of the running kernel: the same answers, from a tape.
 *
 * Needs no addon, no rights and no Linux. When a queue has run dry, maps and rings are empty and
 * the clock, the links and all that is a fact of the machine stay as they were last.
 */
import { readFileSync } from 'node:fs'
import { btfHashOf } from './layout.ts'
import {
  keyOf,
  type MapShape,
  type RecordedBatch,
  readBatch,
  readClock,
  readJson,
  readNumbers,
  readText,
} from './tape_format.ts'
import type {
  Attachment,
  AttachTarget,
  BpfMap,
  BpfObject,
  BpfRing,
  Clock,
  Kernel,
  KernelHost,
  KernelTape,
  Link,
  LinkWatch,
  MapCursor,
  ObjectOptions,
  TestRunInput,
  TestRunResult,
} from './types.ts'
import { KernelError } from './types.ts'

type Host = Pick<KernelHost, 'asset'>

export class ReplayedKernel implements Kernel {
  readonly #host: Host
  readonly #facts: Facts
  readonly #callbacks = new Set<() => void>()
  #time: Clock = { monotonicUs: 0, unixUs: 0 }

  constructor(host: Host, tape: KernelTape) {
    this.#host = host
    this.#facts = new Facts(tape)
  }

  /** @throws KernelError when the tape was recorded with another build of this object. */
  openObject(name: string, _options?: ObjectOptions): BpfObject {
    const recorded = this.#facts.last(keyOf.open(name))
    if (!recorded) {
      throw new KernelError(
        `cannot replay ${name}: the recording holds nothing of it`,
        'Record a trace with this receiver: fovea run --record FILE',
      )
    }
    const [before, now] = [readText(recorded), btfHashOf(readFileSync(this.#host.asset(name)))]
    if (before !== now) {
      throw new KernelError(
        `cannot replay ${name}: it was recorded with BTF ${before}, this build has ${now}`,
        'Record the trace anew: fovea run --record FILE',
      )
    }
    return new ReplayedObject(name, now, this.#facts)
  }

  enumNames(name: string, strip = ''): Map<number, string> {
    const bytes = this.#facts.last(keyOf.enumNames(name, strip))
    return new Map(bytes ? readJson<[number, string][]>(bytes) : [])
  }

  hasHelper(programType: 'tc' | 'tracing', helper: number): boolean {
    return this.#facts.last(keyOf.helper(programType, helper))?.[0] === 1
  }

  clock(): Clock {
    const bytes = this.#facts.tape.next(keyOf.clock)
    if (!bytes) return this.#time
    const { linkChanges, ...time } = readClock(bytes)
    this.#time = time
    // Here and as often as then, so that what the callback asks comes in the same order.
    for (let change = 0; change < linkChanges; change++) {
      for (const callback of this.#callbacks) callback()
    }
    return time
  }

  links(): LinkWatch {
    const own = new Set<() => void>()
    return {
      list: () => readJson<Link[]>(this.#facts.lastFilled(keyOf.links) ?? Buffer.from('[]')),
      defaultRoutes: () => readNumbers(this.#facts.last(keyOf.routes) ?? new Uint8Array()),
      onChange: callback => {
        const once = () => {
          if (own.has(once)) callback()
        }
        own.add(once)
        this.#callbacks.add(once)
      },
      close: () => {
        for (const once of own) this.#callbacks.delete(once)
        own.clear()
      },
    }
  }

  close(): void {
    this.#callbacks.clear()
  }
}

/** A tape whose answers about lasting facts repeat when their queue is empty. */
class Facts {
  readonly tape: KernelTape
  readonly #last = new Map<string, Uint8Array>()

  constructor(tape: KernelTape) {
    this.tape = tape
  }

  last(key: string): Uint8Array | null {
    const next = this.tape.next(key)
    if (next) this.#last.set(key, next)
    return next ?? this.#last.get(key) ?? null
  }

  /** As `last`; an empty answer means the one before. */
  lastFilled(key: string): Uint8Array | null {
    const next = this.tape.next(key)
    if (next && next.length > 0) this.#last.set(key, next)
    return this.#last.get(key) ?? null
  }
}

class ReplayedObject implements BpfObject {
  readonly btfHash: string
  readonly #name: string
  readonly #facts: Facts

  constructor(name: string, btfHash: string, facts: Facts) {
    this.#name = name
    this.btfHash = btfHash
    this.#facts = facts
  }

  map(name: string): BpfMap {
    const facts = this.#facts.last(keyOf.map(this.#name, name, 'facts'))
    const [keySize = 0, valueSize = 0, entriesMax = 0] = facts ? readNumbers(facts) : []
    const shape = { keySize, valueSize, entriesMax }
    return new ReplayedMap(shape, call => this.#facts.tape.next(keyOf.map(this.#name, name, call)))
  }

  ring(name: string): BpfRing {
    const stream = new Stream(() => this.#facts.tape.next(keyOf.drain(this.#name, name)))
    return { drain: into => stream.read(into, wholeRecords) }
  }

  attach(program: string, target: AttachTarget): Attachment {
    const via = this.#facts.tape.next(keyOf.attach(this.#name, program))
    return this.#attachment(program, via ? readText(via) : 'replay', target)
  }

  attachFirst(programs: readonly string[], target: AttachTarget): Attachment {
    const bytes = this.#facts.last(keyOf.attachFirst(this.#name, programs))
    const [program, via] = bytes ? readJson<[string, string]>(bytes) : [programs[0]!, 'replay']
    return this.#attachment(program, via, target)
  }

  testRun(program: string, _input: TestRunInput): TestRunResult {
    const bytes = this.#facts.tape.next(keyOf.testRun(this.#name, program))
    const [returnValue = 0, durationNs = 0] = bytes ? readNumbers(bytes) : []
    return { returnValue, durationNs }
  }

  close(): void {}

  #attachment(program: string, via: string, target: AttachTarget): Attachment {
    const attachment = { program, via, close() {} }
    if (target.kind !== 'iterator') return attachment
    const stream = new Stream(() => this.#facts.tape.next(keyOf.iterator(this.#name, program)))
    return { ...attachment, read: into => stream.read(into, (_, room) => room) }
  }
}

type Cut = (bytes: Uint8Array, room: number) => number

/** Answers that may have to be given in smaller pieces than they were recorded. */
class Stream {
  readonly #next: () => Uint8Array | null
  #rest = new Uint8Array()

  constructor(next: () => Uint8Array | null) {
    this.#next = next
  }

  read(into: Uint8Array, cut: Cut): number {
    if (this.#rest.length === 0) this.#rest = Uint8Array.from(this.#next() ?? [])
    const whole = this.#rest.length <= into.length
    const length = whole ? this.#rest.length : cut(this.#rest, into.length)
    into.set(this.#rest.subarray(0, length))
    this.#rest = this.#rest.subarray(length)
    return length
  }
}

/** Bytes of the whole ring records that fit into `room`. */
function wholeRecords(bytes: Uint8Array, room: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  while (at + 8 <= bytes.length) {
    const whole = (8 + view.getUint32(at, true) + 7) & ~7
    if (at + whole > room) break
    at += whole
  }
  if (at === 0) throw new RangeError('into: the next record does not fit')
  return at
}

type MapCall = 'readBatch' | 'lookup' | 'take'

class ReplayedMap implements BpfMap {
  readonly keySize: number
  readonly valueSize: number
  readonly entriesMax: number
  readonly #next: (call: MapCall) => Uint8Array | null
  #rest: RecordedBatch | null = null

  constructor(shape: MapShape, next: (call: MapCall) => Uint8Array | null) {
    this.keySize = shape.keySize
    this.valueSize = shape.valueSize
    this.entriesMax = shape.entriesMax
    this.#next = next
  }

  readBatch(cursor: MapCursor, keys: Uint8Array, values: Uint8Array): number {
    if (cursor.done) return 0
    // What a pass before left unread is not part of this one.
    if (cursor.position === null) this.#rest = null
    cursor.position = new Uint8Array()
    const batch = this.#rest ?? this.#recordedBatch()
    const room = Math.min(
      Math.floor(keys.length / this.keySize),
      Math.floor(values.length / this.valueSize),
    )
    const count = Math.min(batch.count, room)
    keys.set(batch.keys.subarray(0, count * this.keySize))
    values.set(batch.values.subarray(0, count * this.valueSize))
    this.#rest = count < batch.count ? this.#after(batch, count) : null
    cursor.done = batch.done && this.#rest === null
    return count
  }

  lookup(_key: Uint8Array, value: Uint8Array): boolean {
    return this.#value('lookup', value)
  }

  update(): void {}

  delete(): boolean {
    return true
  }

  take(_key: Uint8Array, value: Uint8Array): boolean {
    return this.#value('take', value)
  }

  #recordedBatch(): RecordedBatch {
    const bytes = this.#next('readBatch')
    if (bytes) return readBatch(bytes, this)
    return { count: 0, done: true, keys: new Uint8Array(), values: new Uint8Array() }
  }

  #after({ count, done, keys, values }: RecordedBatch, taken: number): RecordedBatch {
    return {
      count: count - taken,
      done,
      keys: keys.subarray(taken * this.keySize),
      values: values.subarray(taken * this.valueSize),
    }
  }

  #value(call: MapCall, value: Uint8Array): boolean {
    const bytes = this.#next(call)
    if (!bytes || bytes.length === 0) return false
    value.set(bytes)
    return true
  }
}
