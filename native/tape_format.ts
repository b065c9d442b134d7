/**
 * How answers of the kernel lie on a tape: the keys of their queues and their bytes.
 *
 * Written by `record.ts`, read by `replay.ts`. Little-endian; only what was really answered is
 * kept, so a batch of three entries in a buffer for thousands takes three entries.
 */
import type { Clock, Link } from './types.ts'

/** Keys of the queues. `object` is the file name of the object. */
export const keyOf = {
  open: (object: string) => `${object}/open`,
  attach: (object: string, program: string) => `${object}/attach/${program}`,
  attachFirst: (object: string, programs: readonly string[]) =>
    `${object}/attachFirst/${programs.join(',')}`,
  iterator: (object: string, program: string) => `${object}/iterator/${program}/read`,
  testRun: (object: string, program: string) => `${object}/testRun/${program}`,
  map: (object: string, map: string, call: 'facts' | 'readBatch' | 'lookup' | 'take') =>
    `${object}/map/${map}/${call}`,
  drain: (object: string, ring: string) => `${object}/ring/${ring}/drain`,
  enumNames: (name: string, strip: string) => `enum/${name}/${strip}`,
  helper: (programType: string, helper: number) => `helper/${programType}/${helper}`,
  clock: 'clock',
  links: 'links/list',
  routes: 'links/defaultRoutes',
} as const

export interface MapShape {
  readonly keySize: number
  readonly valueSize: number
  readonly entriesMax: number
}

export interface RecordedBatch {
  readonly count: number
  readonly done: boolean
  readonly keys: Uint8Array
  readonly values: Uint8Array
}

const batchHeader = 8
const clockSize = 17

export function writeText(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

export function readText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

export function writeJson(value: unknown): Uint8Array {
  return writeText(JSON.stringify(value))
}

export function readJson<T>(bytes: Uint8Array): T {
  return JSON.parse(readText(bytes)) as T
}

export function writeNumbers(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 8)
  const view = viewOf(bytes)
  numbers.forEach((value, index) => {
    view.setFloat64(index * 8, value, true)
  })
  return bytes
}

export function readNumbers(bytes: Uint8Array): number[] {
  const view = viewOf(bytes)
  return Array.from({ length: bytes.length >> 3 }, (_, index) => view.getFloat64(index * 8, true))
}

/** A clock answer; `linkChanges` is how often `onChange` called since the answer before. */
export function writeClock({ monotonicUs, unixUs }: Clock, linkChanges: number): Uint8Array {
  const bytes = new Uint8Array(clockSize)
  bytes.set(writeNumbers([monotonicUs, unixUs]))
  bytes[16] = Math.min(linkChanges, 255)
  return bytes
}

export function readClock(bytes: Uint8Array): Clock & { readonly linkChanges: number } {
  const [monotonicUs = 0, unixUs = 0] = readNumbers(bytes)
  return { monotonicUs, unixUs, linkChanges: bytes[16]! }
}

export function writeBatch(
  { count, done, keys, values }: RecordedBatch,
  { keySize, valueSize }: MapShape,
): Uint8Array {
  const bytes = new Uint8Array(batchHeader + count * (keySize + valueSize))
  const view = viewOf(bytes)
  view.setUint32(0, count, true)
  view.setUint32(4, done ? 1 : 0, true)
  bytes.set(keys.subarray(0, count * keySize), batchHeader)
  bytes.set(values.subarray(0, count * valueSize), batchHeader + count * keySize)
  return bytes
}

export function readBatch(bytes: Uint8Array, { keySize }: MapShape): RecordedBatch {
  const view = viewOf(bytes)
  const count = view.getUint32(0, true)
  const middle = batchHeader + count * keySize
  return {
    count,
    done: view.getUint32(4, true) === 1,
    keys: bytes.subarray(batchHeader, middle),
    values: bytes.subarray(middle),
  }
}

/** Links as JSON text; an empty answer on the tape means the same list as before. */
export function writeLinks(links: readonly Link[]): string {
  return JSON.stringify(links)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
