/**
 * The open flows of one table: rows find their record by key, records come out when their flow
 * ends, when they are as old as `active_timeout`, when there is no room, and at the end of all.
 *
 * The ledger: the row that opens a record is held until the record comes out in its place; rows
 * that join it are folded. So in = out + folded + held at every moment.
 */
import type { Batch, Columns, ProcessorHost } from '../../core/index.ts'
import { BatchWriter, grown } from '../../core/index.ts'
import { Kernel } from '../kernel.ts'
import { hashCode, KeyTable } from '../key_table.ts'
import { TextIds } from '../texts.ts'
import { keyWords } from './columns.ts'
import { RecordStore } from './store.ts'

/** flowEndReason of IPFIX (RFC 5102 section 5.11.3), in words. */
const END = {
  idle: 'idle_timeout',
  active: 'active_timeout',
  ended: 'end_of_flow',
  forced: 'forced_end',
  resources: 'lack_of_resources',
} as const
export type EndReason = (typeof END)[keyof typeof END]

/** By `flow_state`: closed by FIN, reset, idle. */
const ENDS: readonly (EndReason | undefined)[] = [
  undefined,
  undefined,
  undefined,
  END.ended,
  END.ended,
  END.idle,
]

/** Small enough that even records with many distinct names stay below a batch's limit of text. */
const BATCH_ROWS = 2048

type Keys = (batch: Batch, words: Uint32Array, hashes: Uint32Array, texts: TextIds) => void

export class OpenFlows {
  readonly #table: string
  readonly #columns: Columns
  readonly #host: ProcessorHost
  readonly #flowsMax: number
  /** Entries of the records that are open. */
  readonly keys: KeyTable
  readonly #keyKernel: Keys
  /** Names that open records hold. */
  readonly texts = new TextIds()
  readonly #store: RecordStore
  /** Milliseconds of the tick before a record was opened, by entry; 0 where no record is open. */
  #since: Float64Array
  #entries = new Uint32Array(0)
  #opened = new Uint32Array(0)
  #words = new Uint32Array(0)
  #hashes = new Uint32Array(0)
  /** Records that come out of the present call. */
  #closing: number[] = []
  #reasons: EndReason[] = []
  /** Of the last tick; 1 before the first, because 0 marks no record. */
  #nowMs = 1

  /** @param table name of the records' table. */
  constructor(table: string, columns: Columns, flowsMax: number, host: ProcessorHost) {
    this.#table = table
    this.#columns = { ...columns, end_reason: 'text' }
    this.#host = host
    this.#flowsMax = flowsMax
    const kernel = new Kernel(columns)
    const cell = (name: string) => `${kernel.column(name)}[row]`
    const words = keyWords(columns, {
      cell,
      words: name => kernel.words(name),
      textId: name => kernel.textId(cell(name)),
    })
    this.keys = new KeyTable(words.length)
    this.#keyKernel = keyKernel(kernel, words)
    this.#store = new RecordStore(columns, this.keys.capacity, this.texts)
    this.#since = new Float64Array(this.keys.capacity)
  }

  get open(): number {
    return this.keys.size
  }

  process(batch: Batch): Batch[] {
    const rows = batch.length
    if (this.#entries.length < rows) this.#makeRoom(rows)
    this.texts.begin(batch.text)
    this.#keyKernel(batch, this.#words, this.#hashes, this.texts)
    const opened = this.#findRecords(batch)
    const saturated = this.#store.fold(batch, this.#entries, this.#opened, opened)
    this.texts.end()
    if (saturated > 0) this.#host.count('saturated', saturated)
    if (rows > opened) this.#host.count('folded', rows - opened)
    return this.#putOut()
  }

  /** Lists the record of each row; returns how many rows opened one. */
  #findRecords(batch: Batch): number {
    const states = batch.data.flow_state as Uint8Array
    const { width } = this.keys
    let opened = 0
    for (let row = 0; row < batch.length; row++) {
      let entry = this.keys.find(this.#words, row * width, this.#hashes[row])
      const end = ENDS[states[row]]
      if (entry === 0) {
        this.#opened[opened++] = row
        entry = this.#openRecord(row, end)
      } else if (end) {
        this.#close(entry, end)
      }
      this.#entries[row] = entry
    }
    return opened
  }

  #openRecord(row: number, end: EndReason | undefined): number {
    const full = this.keys.size >= this.#flowsMax
    if (end || full) {
      const entry = this.keys.reserve()
      if (this.keys.capacity > this.#since.length) this.#grow()
      this.#closing.push(entry)
      this.#reasons.push(end ?? END.resources)
      if (!end) this.#host.count('flows_max_reached', 1)
      return entry
    }
    const entry = this.keys.add(this.#words, row * this.keys.width, this.#hashes[row])
    if (this.keys.capacity > this.#since.length) this.#grow()
    this.#since[entry] = this.#nowMs
    return entry
  }

  #close(entry: number, reason: EndReason): void {
    this.keys.unlink(entry)
    this.#since[entry] = 0
    this.#closing.push(entry)
    this.#reasons.push(reason)
  }

  /** @param final everything comes out. */
  tick(nowMs: number, activeTimeoutMs: number, final: boolean): Batch[] {
    const since = this.#since
    const first = this.#nowMs === 1
    for (let entry = 1; entry < this.keys.end; entry++) {
      if (since[entry] === 0) continue
      if (first) since[entry] = nowMs
      if (nowMs - since[entry] >= activeTimeoutMs) this.#close(entry, END.active)
      else if (final) this.#close(entry, END.forced)
    }
    this.#nowMs = nowMs
    return this.#putOut()
  }

  #putOut(): Batch[] {
    const batches: Batch[] = []
    const closing = this.#closing
    for (let from = 0; from < closing.length; from += BATCH_ROWS) {
      const to = Math.min(from + BATCH_ROWS, closing.length)
      const writer = new BatchWriter(this.#table, this.#columns, to - from)
      const reasons = writer.data.end_reason as Uint32Array
      for (let i = from; i < to; i++) {
        reasons[writer.length] = writer.textId(this.#reasons[i])
        this.#store.write(closing[i], writer)
        this.#store.clear(closing[i])
        this.keys.release(closing[i])
      }
      this.#store.endBatch()
      if (writer.textOverflow > 0) this.#host.count('text_overflow', writer.textOverflow)
      batches.push(writer.done())
    }
    this.#closing = []
    this.#reasons = []
    return batches
  }

  #grow(): void {
    this.#store.grow(this.keys.capacity)
    this.#since = grown(this.#since, new Float64Array(this.keys.capacity))
  }

  #makeRoom(rows: number): void {
    this.#entries = new Uint32Array(rows)
    this.#opened = new Uint32Array(rows)
    this.#words = new Uint32Array(rows * this.keys.width)
    this.#hashes = new Uint32Array(rows)
  }
}

function keyKernel(kernel: Kernel, words: readonly string[]): Keys {
  const names = words.map((_, i) => `w${i}`)
  return kernel.build(
    ['words', 'hashes', 'texts'],
    `for (let row = 0; row < batch.length; row++) {
       ${words.map((code, i) => `const w${i} = ${code}`).join('\n')}
       ${hashCode(names)}
       ${names.map((name, i) => `words[row * ${words.length} + ${i}] = ${name}`).join('\n')}
       hashes[row] = hash
     }`,
  )
}
