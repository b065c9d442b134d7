/**
 * A tape: what the outside world answered to each receiver, in order, in one file.
 *
 * `fovea run --record FILE` writes one; `receivers/replay` plays it. The framework does not know
 * what the answers mean: it keeps bytes by stream (a receiver) and key (a question), with the time
 * of each.
 *
 * Format: the line `fovea tape 1`, one line of JSON (the streams), then entries of
 * { u32 payload bytes, u16 stream, u16 key, u32 milliseconds since the start, payload }, little
 * endian. Key 0 of a stream defines its next key: the payload is the key's name. A file whose name
 * ends in `.zst` or `.gz` is compressed as a whole.
 */
import { createWriteStream, openSync, readFileSync, type WriteStream } from 'node:fs'
import { createGzip, createZstdCompress, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Tables } from './batch.ts'
import type { Tape } from './contract.ts'
import { ConfigError } from './errors.ts'

const MAGIC = 'fovea tape 1'
const ENTRY_HEADER = 12

export interface TapeStream {
  /** Id of the receiver that was recorded, and its type. */
  readonly id: string
  readonly type: string
  /** Its configuration as it received it. */
  readonly config: Readonly<Record<string, unknown>>
  readonly tables: Tables
}

/** Writes a tape. Appending is synchronous into a buffered stream; errors surface at `close`. */
export class TapeWriter {
  readonly #out: NodeJS.WritableStream
  readonly #file: WriteStream
  readonly #ids: readonly string[]
  readonly #startMs = performance.now()
  #error: Error | undefined

  /** @throws ConfigError when the file cannot be written. */
  constructor(path: string, streams: readonly TapeStream[]) {
    this.#ids = streams.map(stream => stream.id)
    this.#file = createWriteStream(path, { fd: openForWriting(path) })
    this.#file.on('error', error => {
      this.#error = error
    })
    const packer = path.endsWith('.zst')
      ? createZstdCompress()
      : path.endsWith('.gz')
        ? createGzip()
        : undefined
    if (packer) packer.pipe(this.#file)
    this.#out = packer ?? this.#file
    this.#out.write(`${MAGIC}\n${JSON.stringify(streams)}\n`)
  }

  /** The recording end of one receiver's stream. */
  stream(id: string): Tape {
    const number = this.#ids.indexOf(id)
    const keys = new Map<string, number>()
    return {
      mode: 'record',
      append: (key, bytes) => {
        let keyNumber = keys.get(key)
        if (keyNumber === undefined) {
          keyNumber = keys.size + 1
          keys.set(key, keyNumber)
          this.#entry(number, 0, Buffer.from(key))
        }
        this.#entry(number, keyNumber, bytes)
      },
      next: () => null,
    }
  }

  #entry(stream: number, key: number, payload: Uint8Array): void {
    const entry = Buffer.allocUnsafe(ENTRY_HEADER + payload.length)
    entry.writeUInt32LE(payload.length, 0)
    entry.writeUInt16LE(stream, 4)
    entry.writeUInt16LE(key, 6)
    entry.writeUInt32LE(Math.round(performance.now() - this.#startMs), 8)
    entry.set(payload, ENTRY_HEADER)
    this.#out.write(entry)
  }

  /** @throws the first error of the file, if there was one. */
  async close(): Promise<void> {
    if (!this.#file.closed) {
      const closed = new Promise(resolve => this.#file.once('close', resolve))
      this.#out.end()
      await closed
    }
    if (this.#error) throw this.#error
  }
}

function openForWriting(path: string): number {
  try {
    return openSync(path, 'w')
  } catch (error) {
    throw new ConfigError(`cannot record: ${(error as Error).message}`)
  }
}

interface Entry {
  readonly key: string
  readonly atMs: number
  readonly payload: Uint8Array
  played: boolean
}

/** A tape in memory, for playing. */
export class TapeReader {
  readonly streams: readonly TapeStream[]
  /**
   * False when the file ends within an entry: the recorder was killed. What came before is whole.
   */
  readonly complete: boolean
  readonly #entries: Entry[][]
  readonly #byKey: Map<string, Entry[]>[]
  readonly #first: number[]

  constructor(tape: Uint8Array, path: string) {
    const bytes = Buffer.from(tape.buffer, tape.byteOffset, tape.byteLength)
    const magicEnd = bytes.indexOf(10)
    const headerEnd = bytes.indexOf(10, magicEnd + 1)
    if (magicEnd < 0 || headerEnd < 0 || bytes.toString('latin1', 0, magicEnd) !== MAGIC) {
      throw new ConfigError(`${path}: not a tape (a file written by fovea run --record)`)
    }
    this.streams = JSON.parse(bytes.toString('utf8', magicEnd + 1, headerEnd))
    this.#entries = this.streams.map(() => [])
    this.#byKey = this.streams.map(() => new Map())
    this.#first = this.streams.map(() => 0)
    this.complete = this.#load(bytes, headerEnd + 1)
  }

  #load(bytes: Buffer, start: number): boolean {
    const keys: string[][] = this.streams.map(() => [''])
    let at = start
    while (at + ENTRY_HEADER <= bytes.length) {
      const length = bytes.readUInt32LE(at)
      const stream = bytes.readUInt16LE(at + 4)
      const key = bytes.readUInt16LE(at + 6)
      const atMs = bytes.readUInt32LE(at + 8)
      const end = at + ENTRY_HEADER + length
      if (end > bytes.length || stream >= this.streams.length) return false
      const payload = bytes.subarray(at + ENTRY_HEADER, end)
      if (key === 0) keys[stream].push(payload.toString())
      else {
        const entry = { key: keys[stream][key], atMs, payload, played: false }
        this.#entries[stream].push(entry)
        const queue = this.#byKey[stream].get(entry.key)
        if (queue) queue.push(entry)
        else this.#byKey[stream].set(entry.key, [entry])
      }
      at = end
    }
    for (const queues of this.#byKey) for (const queue of queues.values()) queue.reverse()
    return at === bytes.length
  }

  #index(id: string): number {
    return this.streams.findIndex(stream => stream.id === id)
  }

  /** The playing end of one stream. */
  stream(id: string): Tape {
    const queues = this.#byKey[this.#index(id)]
    return {
      mode: 'replay',
      append: () => undefined,
      next: key => {
        const entry = queues.get(key)?.pop()
        if (!entry) return null
        entry.played = true
        return entry.payload
      },
    }
  }

  /** Milliseconds from the tape's start to the oldest answer not yet played, or null at the end. */
  nextAtMs(id: string): number | null {
    const stream = this.#index(id)
    const entries = this.#entries[stream]
    while (this.#first[stream] < entries.length && entries[this.#first[stream]].played) {
      this.#first[stream]++
    }
    return entries[this.#first[stream]]?.atMs ?? null
  }
}

/** @throws ConfigError when the file is missing, unreadable or no tape. */
export function openTape(path: string): TapeReader {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
    if (path.endsWith('.zst')) bytes = zstdDecompressSync(bytes)
    else if (path.endsWith('.gz')) bytes = gunzipSync(bytes)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new ConfigError(`${path}: ${code === 'ENOENT' ? 'there is no such file' : message}`)
  }
  return new TapeReader(bytes, path)
}
