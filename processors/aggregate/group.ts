/**
 * The state of one group: label sets by entry, and for each the values of every member.
 *
 * Entry 0 is the overflow: rows whose label set found no room. All members of a label set are born
 * together, at zero, so that a rate sees the first event. About 13 bytes a label set and 20 a
 * series beside key and values.
 */
import type { BatchWriter, SERIES_COLUMNS } from '../../core/index.ts'
import { grown } from '../../core/index.ts'
import { KeyTable } from '../key_table.ts'
import type { TextIds } from '../texts.ts'
import type { GroupPlan, Member } from './groups.ts'
import type { LabelCodec } from './labels.ts'

export type SeriesRows = BatchWriter<typeof SERIES_COLUMNS>

export class Group {
  readonly plan: GroupPlan
  readonly codecs: readonly LabelCodec[]
  readonly table: KeyTable
  /** `stride` values an entry. */
  values: Float64Array
  /** Series id by entry and member. */
  ids: Uint32Array
  /**
   * What was last put out of each series: its value, or the count of a histogram; NaN before the
   * first.
   */
  last: Float64Array
  /** Microseconds: since when the values add up. */
  start: Float64Array
  /** Milliseconds: when a row last came by. */
  seen: Float64Array
  /** 1: rows came since the last emission. */
  dirty: Uint8Array
  /** Rows that found no room here. */
  overflows = 0

  constructor(plan: GroupPlan, codecs: readonly LabelCodec[]) {
    this.plan = plan
    this.codecs = codecs
    const width = codecs.reduce((words, codec) => words + codec.width, 0)
    this.table = new KeyTable(Math.max(1, width))
    const { capacity } = this.table
    this.values = new Float64Array(plan.stride * capacity)
    this.ids = new Uint32Array(plan.members.length * capacity)
    this.last = new Float64Array(plan.members.length * capacity)
    this.start = new Float64Array(capacity)
    this.seen = new Float64Array(capacity)
    this.dirty = new Uint8Array(capacity)
    this.#clear(0)
  }

  /** Series of living label sets, overflow not counted. */
  get series(): number {
    return this.table.size * this.plan.members.length
  }

  /** True when a metric of this group has a limit of its own and has reached it. */
  get full(): boolean {
    const { members, first } = this.plan
    if (first.seriesMax === 0) return false
    const widest = Math.max(...members.map(({ metric }) => count(members, metric)))
    return (this.table.size + 1) * widest > first.seriesMax
  }

  /** A new entry with all values at zero. */
  add(words: Uint32Array, at: number, hash: number, startUs: number, texts: TextIds): number {
    const entry = this.table.add(words, at, hash)
    if (this.table.capacity > this.start.length) this.#grow()
    this.#clear(entry)
    this.start[entry] = startUs
    this.#eachText(entry, id => texts.keep(id))
    return entry
  }

  /** Label texts of an entry, without a member's own. */
  labels(entry: number, texts: TextIds): string[] {
    let at = entry * this.table.width
    return this.codecs.map(codec => {
      const text = codec.text(this.table.keys, at, texts)
      at += codec.width
      return text
    })
  }

  remove(entry: number, texts: TextIds): void {
    this.#eachText(entry, id => texts.drop(id))
    this.table.remove(entry)
    this.dirty[entry] = 0
    this.seen[entry] = 0
  }

  /**
   * True when the member's newest state was not put out yet. A gauge's reading is news even when
   * equal.
   */
  changed(entry: number, index: number, member: Member): boolean {
    if (this.dirty[entry] === 0) return false
    const value = this.values[entry * this.plan.stride + member.offset]
    if (member.type === 'gauge') return !Number.isNaN(value)
    const last = this.last[entry * this.plan.members.length + index]
    return last !== this.#mark(entry, member)
  }

  /** Puts the member's slots out. */
  write(entry: number, index: number, member: Member, rows: SeriesRows, nowUs: number): void {
    const from = entry * this.plan.stride + member.offset
    const id = this.ids[entry * this.plan.members.length + index]
    const startUs = this.start[entry] || nowUs
    for (let slot = 0; slot < member.slots; slot++) {
      writeSlot(rows, id, slot, this.values[from + slot], startUs, nowUs)
    }
    this.last[entry * this.plan.members.length + index] = this.#mark(entry, member)
  }

  #mark(entry: number, member: Member): number {
    const slot = member.type === 'histogram' ? 1 : 0
    return this.values[entry * this.plan.stride + member.offset + slot]
  }

  #clear(entry: number): void {
    const { stride, members } = this.plan
    this.values.fill(0, entry * stride, (entry + 1) * stride)
    for (const member of members) {
      // A gauge has no reading yet.
      if (member.type === 'gauge') this.values[entry * stride + member.offset] = Number.NaN
    }
    this.last.fill(Number.NaN, entry * members.length, (entry + 1) * members.length)
  }

  #eachText(entry: number, visit: (id: number) => void): void {
    let at = entry * this.table.width
    for (const codec of this.codecs) {
      if (codec.words === 'text') visit(this.table.keys[at])
      at += codec.width
    }
  }

  #grow(): void {
    const { capacity } = this.table
    const { stride, members } = this.plan
    this.values = grown(this.values, new Float64Array(stride * capacity))
    this.ids = grown(this.ids, new Uint32Array(members.length * capacity))
    this.last = grown(this.last, new Float64Array(members.length * capacity))
    this.start = grown(this.start, new Float64Array(capacity))
    this.seen = grown(this.seen, new Float64Array(capacity))
    this.dirty = grown(this.dirty, new Uint8Array(capacity))
  }
}

function count(members: readonly Member[], metric: number): number {
  return members.filter(member => member.metric === metric).length
}

export function writeSlot(
  rows: SeriesRows,
  id: number,
  slot: number,
  value: number,
  startUs: number,
  nowUs: number,
): void {
  const { data } = rows
  const row = rows.length++
  data.series[row] = id
  data.slot[row] = slot
  data.value[row] = value
  data.start_us[row] = startUs
  data.time_us[row] = nowUs
}
