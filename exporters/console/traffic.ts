/**
 * What the console shows, taken from the rows as they come: exact totals, and the largest flows.
 *
 * A node may report ten thousand flows a second and a terminal shows ten. So each batch gives its
 * largest rows to a small heap, and only those get names and keys. Rates are means over the last
 * three intervals that had rows, measured between arrivals: a reader that ticks beside ours by a
 * moment makes no rate jump.
 */
import type { Batch } from '../../core/index.ts'
import { isNoAddress } from '../address.ts'
import { LargestRows } from './largest_rows.ts'
import { endpointText, protocolName, STATES } from './names.ts'

const WINDOW = 3
/** Rows of one batch that get names at least. */
const ROWS_MIN = 24

export interface Flow {
  readonly source: string
  readonly destination: string
  readonly protocol: string
  state: string
  packets: number
  bytes: number
}

/** Everything a second, but `lost`, which is the total since the start. */
export interface Rates {
  readonly packets: number
  readonly bytes: number
  readonly flowStarts: number
  readonly drops: number
  readonly lost: number
  /** Largest first. */
  readonly flows: readonly Flow[]
  /** Drop reason and packets a second, largest first. */
  readonly dropReasons: readonly (readonly [string, number])[]
}

class Slot {
  seconds = 0
  packets = 0
  bytes = 0
  flowStarts = 0
  drops = 0
  readonly flows = new Map<string, Flow>()
  readonly dropReasons = new Map<string, number>()
}

type Numbers = ArrayLike<number>

/** Owned by one console. Times are milliseconds of any steady clock. */
export class Traffic {
  readonly #intervalMs: number
  readonly #top: number
  readonly #largest: LargestRows
  readonly #slots: Slot[] = []
  #slot = new Slot()
  #lastMs: number
  #beganMs: number
  #table = ''
  #lost = 0

  constructor(intervalMs: number, top: number, nowMs: number) {
    this.#intervalMs = intervalMs
    this.#top = top
    this.#largest = new LargestRows(Math.max(ROWS_MIN, 2 * top))
    this.#lastMs = nowMs
    this.#beganMs = nowMs
  }

  /**
   * Takes rows of `drops`, and of the one table that totals are made of: `flows`, or whichever came
   * first.
   */
  add(batch: Batch, nowMs: number): void {
    this.#lastMs = nowMs
    this.#lost += batch.lost
    if (batch.columns.drop_reason === 'text') this.#addDrops(batch)
    else if (this.#counts(batch.table)) this.#addTraffic(batch)
  }

  /**
   * Ends an interval if rows came in it, or if none came for so long that rates must fall to zero.
   */
  tick(nowMs: number): void {
    const silent = nowMs - this.#lastMs > WINDOW * this.#intervalMs
    if (this.#lastMs === this.#beganMs && !silent) return
    const until = silent ? nowMs : this.#lastMs
    this.#slot.seconds = Math.max((until - this.#beganMs) / 1000, 0.001)
    this.#beganMs = until
    if (silent) this.#lastMs = nowMs
    this.#slots.push(this.#slot)
    if (this.#slots.length > WINDOW) this.#slots.shift()
    this.#slot = new Slot()
  }

  rates(): Rates {
    const slots = this.#slots
    const seconds = sum(slots, slot => slot.seconds) || 1
    const reasons = new Map<string, number>()
    for (const slot of slots) {
      for (const [reason, n] of slot.dropReasons)
        reasons.set(reason, (reasons.get(reason) ?? 0) + n)
    }
    return {
      packets: sum(slots, slot => slot.packets) / seconds,
      bytes: sum(slots, slot => slot.bytes) / seconds,
      flowStarts: sum(slots, slot => slot.flowStarts) / seconds,
      drops: sum(slots, slot => slot.drops) / seconds,
      lost: this.#lost,
      flows: this.#topFlows(seconds),
      dropReasons: [...reasons]
        .map(([reason, n]) => [reason, n / seconds] as const)
        .sort((a, b) => b[1] - a[1]),
    }
  }

  #topFlows(seconds: number): Flow[] {
    const merged = new Map<string, Flow>()
    for (const slot of this.#slots) {
      for (const [key, flow] of slot.flows) merge(merged, key, flow)
    }
    return [...merged.values()]
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, this.#top)
      .map(flow => ({ ...flow, packets: flow.packets / seconds, bytes: flow.bytes / seconds }))
  }

  #counts(table: string): boolean {
    if (this.#table === '' || (table === 'flows' && this.#table !== 'flows')) this.#table = table
    return table === this.#table
  }

  #addTraffic(batch: Batch): void {
    const { length, data } = batch
    const packets = data.packets as Numbers
    const bytes = data.bytes as Numbers
    const duplicate = data.duplicate as Numbers | undefined
    const starts = data.flow_starts as Numbers | undefined
    const slot = this.#slot
    let [sumPackets, sumBytes, sumStarts, least] = [0, 0, 0, -1]
    this.#largest.clear()
    for (let row = 0; row < length; row++) {
      if (duplicate !== undefined && duplicate[row] !== 0) continue
      sumPackets += packets[row]
      sumBytes += bytes[row]
      if (starts !== undefined) sumStarts += starts[row]
      if (bytes[row] > least) least = this.#largest.offer(row, bytes[row])
    }
    slot.packets += sumPackets
    slot.bytes += sumBytes
    slot.flowStarts += sumStarts
    if (batch.columns.source_address !== 'address') return
    for (const row of this.#largest.rows()) {
      const flow = flowOf(batch, row)
      merge(slot.flows, `${flow.source}>${flow.destination}>${flow.protocol}`, flow)
    }
  }

  #addDrops(batch: Batch): void {
    const reason = batch.data.drop_reason as Numbers
    const packets = batch.data.packets as Numbers | undefined
    const byText = new Float64Array(batch.text.length)
    for (let row = 0; row < batch.length; row++) byText[reason[row]] += packets?.[row] ?? 1
    const { dropReasons } = this.#slot
    for (let id = 0; id < byText.length; id++) {
      if (byText[id] === 0) continue
      this.#slot.drops += byText[id]
      const name = batch.text[id] || 'unknown'
      dropReasons.set(name, (dropReasons.get(name) ?? 0) + byText[id])
    }
  }
}

function merge(into: Map<string, Flow>, key: string, flow: Flow): void {
  const known = into.get(key)
  if (known === undefined) {
    into.set(key, { ...flow })
    return
  }
  known.packets += flow.packets
  known.bytes += flow.bytes
  known.state = flow.state
}

function flowOf(batch: Batch, row: number): Flow {
  const { data } = batch
  const number = (column: string) => (data[column] as Numbers | undefined)?.[row] ?? 0
  const nameless =
    isNoAddress(data.source_address as Uint8Array, 16 * row) && number('source_port') === 0
  return {
    source: nameless ? '(other)' : endpointText(batch, 'source', row),
    destination: nameless ? '' : endpointText(batch, 'destination', row),
    protocol: protocolName(number('protocol')),
    state: STATES[number('flow_state')] ?? '',
    packets: number('packets'),
    bytes: number('bytes'),
  }
}

function sum(slots: readonly Slot[], of: (slot: Slot) => number): number {
  return slots.reduce((total, slot) => total + of(slot), 0)
}
