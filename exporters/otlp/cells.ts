/**
 * Cells of a batch as OTLP attributes: for each column a function that writes `KeyValue` of one
 * row.
 *
 * Keys are encoded when the functions are made, texts when a batch begins; what is empty or 0 is
 * left out, but for counts.
 */
import type { Batch, BytesColumn, Kind } from '../../core/index.ts'
import { ADDRESS_TEXT_MAX, isIpv4, isNoAddress, writeAddress } from '../address.ts'
import { type Attribute, attributeOf } from './attributes.ts'
import { ProtoWriter, varintLength } from './proto_writer.ts'

/** Writes the attribute of one row behind the record's tag for attributes, or nothing. */
export type Cell = (writer: ProtoWriter, row: number) => void

const ATTRIBUTES = 0x32
const STRING = 0x0a
const INTEGER = 0x18
const DOUBLE = 0x21
const ARRAY = 0x2a
const BYTES = 0x3a
/** Tags and lengths around one attribute. */
const AROUND = 48

export function cellsOf(batch: Batch): Cell[] {
  const cells: Cell[] = []
  const texts = new Texts(batch.text)
  for (const [column, kind] of Object.entries(batch.columns)) {
    if (column === 'time_us') continue
    cells.push(cellOf(batch, column, kind, texts))
  }
  const addresses = batch.columns.source_address === 'address' && batch.data.source_address
  if (addresses) cells.push(networkType(addresses as Uint8Array))
  return cells
}

function cellOf(batch: Batch, column: string, kind: Kind, texts: Texts): Cell {
  const attribute = attributeOf(column)
  const key = keyOf(attribute.name)
  const data = batch.data[column]
  switch (kind) {
    case 'text':
      return attribute.list
        ? listCell(key, batch.text, data as Uint32Array)
        : textCell(key, texts, data as Uint32Array)
    case 'address':
      return addressCell(key, data as Uint8Array)
    case 'bytes':
      return bytesCell(key, data as BytesColumn)
    default:
      return numberCell(key, attribute, data as Float64Array)
  }
}

function keyOf(name: string): Buffer {
  const writer = new ProtoWriter(name.length + 16)
  writer.string(0x0a, name)
  writer.byte(0x12)
  return writer.copy()
}

/** Everything before the value's payload: `value` is the length of the AnyValue. */
function open(writer: ProtoWriter, key: Buffer, value: number): void {
  writer.room(value + key.length + AROUND)
  writer.byte(ATTRIBUTES)
  writer.varint(key.length + varintLength(value) + value)
  writer.raw(key)
  writer.varint(value)
}

function textCell(key: Buffer, texts: Texts, column: Uint32Array): Cell {
  return (writer, row) => {
    const id = column[row]
    const length = texts.length(id)
    if (length === 0) return
    open(writer, key, 1 + varintLength(length) + length)
    writer.byte(STRING)
    writer.varint(length)
    texts.write(id, writer)
  }
}

function listCell(key: Buffer, text: readonly string[], column: Uint32Array): Cell {
  const array = new ProtoWriter(256)
  return (writer, row) => {
    const list = text[column[row]]
    if (list === '') return
    array.at = 0
    for (const item of list.split(',')) {
      const length = Buffer.byteLength(item)
      array.room(length + AROUND)
      array.byte(0x0a)
      array.varint(1 + varintLength(length) + length)
      array.string(STRING, item)
    }
    open(writer, key, 1 + varintLength(array.at) + array.at)
    writer.byte(ARRAY)
    writer.varint(array.at)
    writer.raw(array.bytes, 0, array.at)
  }
}

const addressText = Buffer.alloc(ADDRESS_TEXT_MAX)

function addressCell(key: Buffer, column: Uint8Array): Cell {
  return (writer, row) => {
    if (isNoAddress(column, 16 * row)) return
    const length = writeAddress(addressText, 0, column, 16 * row)
    open(writer, key, 2 + length)
    writer.byte(STRING)
    writer.varint(length)
    writer.raw(addressText, 0, length)
  }
}

/** `network.type` is in no column: the addresses say it. */
function networkType(addresses: Uint8Array): Cell {
  const key = keyOf('network.type')
  const types = [Buffer.from('ipv6'), Buffer.from('ipv4')]
  return (writer, row) => {
    if (isNoAddress(addresses, 16 * row)) return
    open(writer, key, 6)
    writer.byte(STRING)
    writer.varint(4)
    writer.raw(types[Number(isIpv4(addresses, 16 * row))])
  }
}

function bytesCell(key: Buffer, column: BytesColumn): Cell {
  return (writer, row) => {
    const start = row === 0 ? 0 : column.end[row - 1]
    const cell = Buffer.from(column.blob.buffer, column.blob.byteOffset + start)
    const length = column.end[row] - start
    if (length === 0) return
    open(writer, key, 1 + varintLength(length) + length)
    writer.byte(BYTES)
    writer.varint(length)
    writer.raw(cell, 0, length)
  }
}

function numberCell(key: Buffer, attribute: Attribute, column: ArrayLike<number>): Cell {
  const { keepZero, words, double } = attribute
  if (words) return wordCell(key, words, column)
  return (writer, row) => {
    const value = column[row]
    if (value === 0 && !keepZero) return
    if (!double && value >= 0 && Number.isSafeInteger(value)) {
      open(writer, key, 1 + varintLength(value))
      writer.byte(INTEGER)
      writer.varint(value)
    } else {
      open(writer, key, 9)
      writer.byte(DOUBLE)
      writer.double(value)
    }
  }
}

function wordCell(
  key: Buffer,
  words: Readonly<Record<number, string>>,
  column: ArrayLike<number>,
): Cell {
  return (writer, row) => {
    const word = words[column[row]] ?? String(column[row])
    if (word === '') return
    open(writer, key, 2 + word.length)
    writer.string(STRING, word)
  }
}

/** The distinct texts of a batch in UTF-8, each encoded once. */
class Texts {
  readonly #bytes: Buffer
  readonly #end: Uint32Array

  constructor(text: readonly string[]) {
    let size = 0
    for (const item of text) size += 3 * item.length
    this.#bytes = Buffer.allocUnsafe(size)
    this.#end = new Uint32Array(text.length)
    let at = 0
    for (const [id, item] of text.entries()) {
      at += this.#bytes.write(item, at, 'utf8')
      this.#end[id] = at
    }
  }

  length(id: number): number {
    return this.#end[id] - this.#start(id)
  }
  write(id: number, writer: ProtoWriter): void {
    writer.raw(this.#bytes, this.#start(id), this.#end[id])
  }
  #start(id: number): number {
    return id === 0 ? 0 : this.#end[id - 1]
  }
}
