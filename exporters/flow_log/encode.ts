/**
 * Rows -> JSON lines, as bytes in one buffer that is used again.
 *
 * A node with ten thousand flows writes as many lines a minute, on the thread that also reads the
 * kernel. So a line is written column by column as ASCII, without an object or a string per row;
 * each distinct text of a batch is escaped once.
 */
import type { Batch, BytesColumn, Columns } from '../../core/index.ts'
import { ADDRESS_TEXT_MAX, isNoAddress, writeAddress } from '../address.ts'
import { copy, NUMBER_MAX, writeDigits, writeNumber } from './digits.ts'

/** After `time` and `table`: these come first and are written even when they are zero. */
const CORE = [
  'time_us',
  'source_address',
  'source_port',
  'destination_address',
  'destination_port',
  'protocol',
  'packets',
  'bytes',
  'metric',
  'value',
]
const QUOTE = 0x22
const NEWLINE = 0x0a
const TIME = '{"time":"0000-00-00T00:00:00.000000Z","table":'
const TIME_AT = '{"time":"'.length
/** The year 10000, which RFC 3339 cannot write. */
const TIME_END_US = 253402300800e6
const NUMBERS = 0
const ADDRESS = 1
const TEXT = 2
const BYTES = 3

const NO_BYTES = new Uint8Array(0)
const NO_CELLS: BytesColumn = { end: new Uint32Array(0), blob: NO_BYTES }

interface Field {
  readonly column: string
  /** `,"name":` */
  readonly name: Uint8Array
  readonly kind: number
  /** Written even when zero or empty. */
  readonly always: boolean
  numbers: ArrayLike<number>
  address: Uint8Array
  bytes: BytesColumn
}

/** Encodes one batch after the other. Owned by one exporter; not shared. */
export class RowEncoder {
  /** Whole lines of the last `encode`; valid until the next call. */
  bytes: Uint8Array
  /** First row that was not encoded yet. */
  row = 0
  readonly #omitEmpty: boolean
  readonly #chunk: number
  #buffer: Buffer
  #batch: Batch | undefined
  #fields: Field[] = []
  #fieldsOf: Columns | undefined
  #time: Float64Array = new Float64Array(0)
  #head: Uint8Array = new Uint8Array(0)
  /** Room that one row needs, variable cells of `bytes` columns apart. */
  #rowBytes = 0
  #textBytes: Buffer = Buffer.alloc(0)
  #textEnd: Uint32Array = new Uint32Array(0)
  #minute = Number.NaN

  /**
   * `chunk`: `encode` returns as soon as this many bytes are there, so that one write never holds
   * the thread for long.
   */
  constructor(omitEmpty: boolean, chunk = 256 << 10) {
    this.#omitEmpty = omitEmpty
    this.#chunk = chunk
    this.#buffer = Buffer.allocUnsafeSlow(chunk + 4096)
    this.bytes = this.#buffer.subarray(0, 0)
  }

  /** Takes a batch with a `time_us` column; encoding starts at `row`. */
  begin(batch: Batch, row = 0): void {
    if (!sameColumns(this.#fieldsOf, batch.columns)) {
      this.#fields = fieldsOf(batch.columns, this.#omitEmpty)
      this.#fieldsOf = batch.columns
    }
    for (const field of this.#fields) bind(field, batch)
    this.#batch = batch
    this.#time = batch.data.time_us as Float64Array
    this.#head = Buffer.from(`${TIME}${JSON.stringify(batch.table)}`)
    this.#rowBytes = this.#head.length + 8 + this.#encodeText(batch.text)
    this.#minute = Number.NaN
    this.row = row
  }

  /**
   * Next chunk of whole lines into `bytes`, at most `limit` bytes unless one line alone is longer;
   * false when the batch is at its end.
   */
  encode(limit = Number.POSITIVE_INFINITY): boolean {
    const batch = this.#batch
    if (batch === undefined || this.row >= batch.length) return false
    let at = 0
    while (this.row < batch.length && at < this.#chunk) {
      this.#reserve(at, this.row)
      const end = this.#encodeRow(at, this.row)
      if (end > limit && at > 0) break
      at = end
      this.row++
    }
    this.bytes = this.#buffer.subarray(0, at)
    return true
  }

  #encodeRow(start: number, row: number): number {
    const buffer = this.#buffer
    const fields = this.#fields
    buffer.set(this.#head, start)
    this.#writeTime(start + TIME_AT, this.#time[row])
    let at = start + this.#head.length
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]
      switch (field.kind) {
        case NUMBERS: {
          const value = field.numbers[row]
          if (value === 0 && !field.always) break
          at = writeNumber(buffer, copy(buffer, at, field.name), value)
          break
        }
        case ADDRESS:
          if (!field.always && isNoAddress(field.address, 16 * row)) break
          at = copy(buffer, at, field.name)
          buffer[at++] = QUOTE
          at = writeAddress(buffer, at, field.address, 16 * row)
          buffer[at++] = QUOTE
          break
        case TEXT: {
          const id = field.numbers[row]
          if (id === 0 && !field.always) break
          at = this.#copyText(copy(buffer, at, field.name), id)
          break
        }
        default:
          at = writeBytes(buffer, at, field, row)
      }
    }
    buffer[at++] = 0x7d
    buffer[at++] = NEWLINE
    return at
  }

  /** `2026-11-03T12:00:00.123456Z`; all but seconds and fraction is kept from row to row. */
  #writeTime(at: number, time: number): void {
    const buffer = this.#buffer
    const timeUs = time >= 0 && time < TIME_END_US ? time : 0
    const minute = Math.floor(timeUs / 60e6)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#head.set(Buffer.from(new Date(minute * 60e3).toISOString().slice(0, 17)), TIME_AT)
      buffer.set(this.#head, at - TIME_AT)
    }
    const us = Math.floor(timeUs - minute * 60e6)
    writeDigits(buffer, at + 17, (us / 1e6) | 0, 2)
    writeDigits(buffer, at + 20, us % 1e6, 6)
  }

  #copyText(at: number, id: number): number {
    const from = id === 0 ? 0 : this.#textEnd[id - 1]
    return copy(this.#buffer, at, this.#textBytes, from, this.#textEnd[id])
  }

  /**
   * Escapes every distinct text once; returns the bytes that a row of the longest ones would take.
   */
  #encodeText(text: readonly string[]): number {
    if (this.#textEnd.length < text.length) this.#textEnd = new Uint32Array(2 * text.length)
    let at = 0
    let longest = 0
    for (let id = 0; id < text.length; id++) {
      const json = JSON.stringify(text[id])
      const room = at + 3 * json.length
      if (this.#textBytes.length < room) {
        const grown = Buffer.allocUnsafeSlow(2 * room)
        grown.set(this.#textBytes.subarray(0, at))
        this.#textBytes = grown
      }
      const start = at
      at += this.#textBytes.write(json, at)
      this.#textEnd[id] = at
      longest = Math.max(longest, at - start)
    }
    let bytes = 0
    for (const field of this.#fields) {
      bytes +=
        field.name.length + NUMBER_MAX + ADDRESS_TEXT_MAX + (field.kind === TEXT ? longest : 0)
    }
    return bytes
  }

  #reserve(at: number, row: number): void {
    let room = at + this.#rowBytes
    for (const field of this.#fields) {
      if (field.kind !== BYTES) continue
      room += 4 * Math.ceil((field.bytes.end[row] - cellStart(field.bytes, row)) / 3)
    }
    if (room <= this.#buffer.length) return
    const grown = Buffer.allocUnsafeSlow(room + this.#chunk)
    grown.set(this.#buffer.subarray(0, at))
    this.#buffer = grown
  }
}

function cellStart(column: BytesColumn, row: number): number {
  return row === 0 ? 0 : column.end[row - 1]
}

/** A `bytes` cell as base64, as JSON has no other place for them. */
function writeBytes(into: Buffer, start: number, field: Field, row: number): number {
  const from = cellStart(field.bytes, row)
  const to = field.bytes.end[row]
  if (from === to && !field.always) return start
  let at = copy(into, start, field.name)
  into[at++] = QUOTE
  at += into.write(
    Buffer.from(field.bytes.blob.subarray(from, to)).toString('base64'),
    at,
    'latin1',
  )
  into[at++] = QUOTE
  return at
}

function sameColumns(one: Columns | undefined, other: Columns): boolean {
  if (one === undefined) return false
  if (one === other) return true
  const names = Object.keys(one)
  const others = Object.keys(other)
  return (
    names.length === others.length &&
    names.every((name, i) => name === others[i] && one[name] === other[name])
  )
}

function fieldsOf(columns: Columns, omitEmpty: boolean): Field[] {
  const core = CORE.filter(name => name in columns)
  const rest = Object.keys(columns).filter(name => !core.includes(name))
  return [...core, ...rest].map(column => {
    const kind = columns[column]
    return {
      column,
      name: Buffer.from(`,${JSON.stringify(column)}:`),
      kind:
        kind === 'address' ? ADDRESS : kind === 'text' ? TEXT : kind === 'bytes' ? BYTES : NUMBERS,
      always: !omitEmpty || core.includes(column),
      numbers: [],
      address: NO_BYTES,
      bytes: NO_CELLS,
    }
  })
}

function bind(field: Field, batch: Batch): void {
  const data = batch.data[field.column]
  if (field.kind === ADDRESS) field.address = data as Uint8Array
  else if (field.kind === BYTES) field.bytes = data as BytesColumn
  else field.numbers = data as ArrayLike<number>
}
