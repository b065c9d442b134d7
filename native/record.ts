/**
 * Passes every call on to another kernel and appends its answer to a tape.
 *
 * Errors are not recorded: a run that failed is not worth replaying.
 */
import {
  keyOf,
  writeBatch,
  writeClock,
  writeJson,
  writeLinks,
  writeNumbers,
  writeText,
} from './tape_format.ts'
import type {
  Attachment,
  AttachTarget,
  BpfMap,
  BpfObject,
  BpfRing,
  Clock,
  Kernel,
  KernelTape,
  Link,
  LinkWatch,
  MapCursor,
  ObjectOptions,
  TestRunInput,
  TestRunResult,
} from './types.ts'

export class RecordingKernel implements Kernel {
  readonly #kernel: Kernel
  readonly #tape: KernelTape
  #linkChanges = 0
  #lastLinks = ''

  constructor(kernel: Kernel, tape: KernelTape) {
    this.#kernel = kernel
    this.#tape = tape
  }

  openObject(name: string, options?: ObjectOptions): BpfObject {
    const object = this.#kernel.openObject(name, options)
    this.#tape.append(keyOf.open(name), writeText(object.btfHash))
    return new RecordingObject(name, object, this.#tape)
  }

  enumNames(name: string, strip = ''): Map<number, string> {
    const names = this.#kernel.enumNames(name, strip)
    this.#tape.append(keyOf.enumNames(name, strip), writeJson([...names]))
    return names
  }

  hasHelper(programType: 'tc' | 'tracing', helper: number): boolean {
    const answer = this.#kernel.hasHelper(programType, helper)
    this.#tape.append(keyOf.helper(programType, helper), Uint8Array.of(answer ? 1 : 0))
    return answer
  }

  clock(): Clock {
    const clock = this.#kernel.clock()
    this.#tape.append(keyOf.clock, writeClock(clock, this.#linkChanges))
    this.#linkChanges = 0
    return clock
  }

  links(): LinkWatch {
    const links = this.#kernel.links()
    return {
      list: () => this.#list(links),
      defaultRoutes: () => {
        const routes = links.defaultRoutes()
        this.#tape.append(keyOf.routes, writeNumbers(routes))
        return routes
      },
      onChange: callback =>
        links.onChange(() => {
          this.#linkChanges++
          callback()
        }),
      close: () => links.close(),
    }
  }

  close(): void {
    this.#kernel.close()
  }

  #list(watch: LinkWatch): Link[] {
    const links = watch.list()
    const text = writeLinks(links)
    this.#tape.append(keyOf.links, writeText(text === this.#lastLinks ? '' : text))
    this.#lastLinks = text
    return links
  }
}

class RecordingObject implements BpfObject {
  readonly btfHash: string
  readonly #name: string
  readonly #object: BpfObject
  readonly #tape: KernelTape

  constructor(name: string, object: BpfObject, tape: KernelTape) {
    this.btfHash = object.btfHash
    this.#name = name
    this.#object = object
    this.#tape = tape
  }

  map(name: string): BpfMap {
    const map = this.#object.map(name)
    const { keySize, valueSize, entriesMax } = map
    const facts = writeNumbers([keySize, valueSize, entriesMax])
    this.#tape.append(keyOf.map(this.#name, name, 'facts'), facts)
    return new RecordingMap(map, this.#tape, call => keyOf.map(this.#name, name, call))
  }

  ring(name: string): BpfRing {
    const ring = this.#object.ring(name)
    const key = keyOf.drain(this.#name, name)
    return {
      drain: into => {
        const length = ring.drain(into)
        this.#tape.append(key, into.slice(0, length))
        return length
      },
    }
  }

  attach(program: string, target: AttachTarget): Attachment {
    const attachment = this.#object.attach(program, target)
    this.#tape.append(keyOf.attach(this.#name, program), writeText(attachment.via))
    return this.#recorded(attachment)
  }

  attachFirst(programs: readonly string[], target: AttachTarget): Attachment {
    const attachment = this.#object.attachFirst(programs, target)
    const { program, via } = attachment
    this.#tape.append(keyOf.attachFirst(this.#name, programs), writeJson([program, via]))
    return this.#recorded(attachment)
  }

  testRun(program: string, input: TestRunInput): TestRunResult {
    const result = this.#object.testRun(program, input)
    const numbers = writeNumbers([result.returnValue, result.durationNs])
    this.#tape.append(keyOf.testRun(this.#name, program), numbers)
    return result
  }

  close(): void {
    this.#object.close()
  }

  #recorded(attachment: Attachment): Attachment {
    const { read } = attachment
    if (!read) return attachment
    const key = keyOf.iterator(this.#name, attachment.program)
    return {
      ...attachment,
      read: into => {
        const length = read(into)
        this.#tape.append(key, into.slice(0, length))
        return length
      },
    }
  }
}

type MapCall = 'readBatch' | 'lookup' | 'take'

class RecordingMap implements BpfMap {
  readonly keySize: number
  readonly valueSize: number
  readonly entriesMax: number
  readonly #map: BpfMap
  readonly #tape: KernelTape
  readonly #key: (call: MapCall) => string

  constructor(map: BpfMap, tape: KernelTape, key: (call: MapCall) => string) {
    this.keySize = map.keySize
    this.valueSize = map.valueSize
    this.entriesMax = map.entriesMax
    this.#map = map
    this.#tape = tape
    this.#key = key
  }

  readBatch(cursor: MapCursor, keys: Uint8Array, values: Uint8Array): number {
    const count = this.#map.readBatch(cursor, keys, values)
    const batch = { count, done: cursor.done, keys, values }
    this.#tape.append(this.#key('readBatch'), writeBatch(batch, this))
    return count
  }

  lookup(key: Uint8Array, value: Uint8Array): boolean {
    return this.#value('lookup', this.#map.lookup(key, value), value)
  }

  update(key: Uint8Array, value: Uint8Array): void {
    this.#map.update(key, value)
  }

  delete(key: Uint8Array): boolean {
    return this.#map.delete(key)
  }

  take(key: Uint8Array, value: Uint8Array): boolean {
    return this.#value('take', this.#map.take(key, value), value)
  }

  /** No bytes on the tape: no such entry. */
  #value(call: MapCall, found: boolean, value: Uint8Array): boolean {
    this.#tape.append(this.#key(call), value.slice(0, found ? this.valueSize : 0))
    return found
  }
}
