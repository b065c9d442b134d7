/**
 * Rows that add up as OTLP log records: an event name, two times and typed attributes, no body.
 *
 * Keys are encoded once per table and texts once per batch, so that a row is mostly copies.
 */
import type { Batch } from '../../core/index.ts'
import { type Cell, cellsOf } from './cells.ts'
import { ENVELOPE_END, type Envelope } from './envelope.ts'
import { ProtoWriter } from './proto_writer.ts'

export class LogRequests {
  /** Records of the request that `next` returned last. */
  points = 0
  readonly #envelope: Envelope
  readonly #writer: ProtoWriter
  readonly #record = new ProtoWriter(1024)
  readonly #sizeMax: number
  readonly #now: () => number
  #batch: Batch | undefined
  #cells: readonly Cell[] = []
  #event: Buffer = Buffer.alloc(0)
  /** Rows that the server has. */
  #done = 0
  #observedUs = 0

  /** `now` in Unix milliseconds. */
  constructor(envelope: Envelope, writer: ProtoWriter, sizeMax: number, now = Date.now) {
    this.#envelope = envelope
    this.#writer = writer
    this.#sizeMax = sizeMax
    this.#now = now
  }

  /**
   * Begins with the first row; with a batch that is known already, with its first row not
   * acknowledged yet.
   */
  begin(batch: Batch): void {
    if (batch === this.#batch) return
    this.#batch = batch
    this.#cells = cellsOf(batch)
    this.#done = 0
    this.#observedUs = this.#now() * 1000
    const writer = new ProtoWriter(64)
    writer.string(0x62, `fovea.${batch.table}`)
    this.#event = writer.copy()
  }

  /**
   * The next request, or null when all rows were acknowledged. The bytes are valid until the next
   * call.
   */
  next(): Buffer | null {
    const length = this.#batch?.length ?? 0
    const writer = this.#writer
    this.points = 0
    for (let row = this.#done; row < length; row++) {
      this.#encode(row)
      const size = this.#record.at + 11
      if (this.points === 0) this.#envelope.begin(writer)
      else if (writer.at + size + ENVELOPE_END > this.#sizeMax) break
      writer.room(size + ENVELOPE_END)
      writer.byte(0x12)
      writer.varint(this.#record.at)
      writer.raw(this.#record.bytes, 0, this.#record.at)
      this.points++
    }
    if (this.points === 0) return null
    this.#envelope.end(writer)
    return writer.bytes.subarray(0, writer.at)
  }

  acknowledge(): void {
    this.#done += this.points
    // The batch may be large: nothing of it is kept once it is delivered.
    if (this.#batch && this.#done >= this.#batch.length) {
      this.#batch = undefined
      this.#cells = []
    }
  }

  /** The server refused the last request for good: its rows are not sent again. */
  giveUp(): void {
    this.acknowledge()
  }

  #encode(row: number): void {
    const writer = this.#record
    const batch = this.#batch as Batch
    const times = batch.data.time_us as Float64Array
    writer.at = 0
    writer.room(64 + this.#event.length)
    writer.byte(0x09)
    writer.nanoseconds(times[row])
    for (const cell of this.#cells) cell(writer, row)
    writer.room(64 + this.#event.length)
    writer.byte(0x59)
    writer.nanoseconds(this.#observedUs)
    writer.raw(this.#event)
  }
}
