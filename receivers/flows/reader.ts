/**
 * Turns the kernel's cumulative flow table into rows of growth, a sweep every interval.
 *
 * A sweep goes over the table in slices, so that the event loop is never held for long. Only
 * entries that grew become rows; entries that ended or were idle are taken out, and the value that
 * comes with the deletion is their last row. The schedule follows the kernel's clock alone, and the
 * kernel is asked in an order that depends on its answers alone, so a tape replays exactly.
 */
import type { Batch, Receiver } from '../../core/index.ts'
import type { BpfMap, Clock, Kernel, MapCursor } from '../../native/index.ts'
import { CounterTable } from '../counter_table.ts'
import type { LinkAttachments } from './attachments.ts'
import { flowCount, flowKey } from './flows.generated.ts'
import type { OtherRows } from './others.ts'
import { chunkOf, FlowRows, flowState, hasGrown, keptWords } from './rows.ts'

/** Entries of one system call; about 2 us each with all that is done for them. */
const CHUNK = 2048
/** Entries looked at in one call of `read` while none of them has a row. */
const SCAN_MAX = 24_576
const TCP_FIN = 1
/** RST here, or in the other direction: RESET_BY_PEER of flows.h. */
const TCP_RST = 4 | 0x8000

export interface ReaderOptions {
  /** Milliseconds. */
  readonly interval: number
  readonly idle_timeout: number
  readonly ended_timeout: number
}

interface Sweep {
  readonly flows: MapCursor
  readonly others: MapCursor
  /** Links that were gone when it began: after it nothing of them is left. */
  readonly gone: readonly number[]
}

export class FlowReader implements Receiver {
  /** Half the interval: a sweep is late by at most that. */
  readonly everyMs: number
  readonly #kernel: Kernel
  readonly #map: BpfMap
  readonly #links: LinkAttachments
  readonly #others: OtherRows
  readonly #options: ReaderOptions
  readonly #keys = chunkOf(CHUNK * flowKey.size)
  readonly #values = chunkOf(CHUNK * flowCount.size)
  readonly #table = new CounterTable(flowKey.size >> 2, keptWords)
  /** Places in the chunk that become rows, their entries and how they end. */
  readonly #places = new Uint16Array(CHUNK)
  readonly #entries = new Int32Array(CHUNK)
  readonly #endings = new Uint8Array(CHUNK)
  readonly #nameOf: (ifindex: number) => string
  #sweep: Sweep | undefined
  #dueUs = 0
  #lost = 0
  /** The last sweep is under way or over. */
  #isFinishing = false
  #isOver = false

  constructor(
    kernel: Kernel,
    map: BpfMap,
    links: LinkAttachments,
    others: OtherRows,
    options: ReaderOptions,
  ) {
    this.everyMs = options.interval / 2
    this.#kernel = kernel
    this.#map = map
    this.#links = links
    this.#others = others
    this.#options = options
    this.#nameOf = ifindex => links.nameOf(ifindex)
  }

  read(rowsMax: number): Batch | null {
    if (this.#isOver) return null
    const clock = this.#kernel.clock()
    this.#sweep ??= this.#begin(clock)
    if (!this.#sweep) return null
    const rows =
      this.#readFlows(this.#sweep, clock, rowsMax) ?? this.#readOthers(this.#sweep, clock)
    if (!rows) return null
    rows.writer.lost = this.#lost
    this.#lost = 0
    return rows.writer.done()
  }

  /**
   * Lets the next reads give what is left. The programs stay attached: letting go of hundreds of
   * links takes seconds, and what is counted meanwhile must not wait for that.
   */
  finish(): void {
    this.#links.stopFollowing()
    this.#isFinishing = true
    this.#sweep = undefined
    this.#dueUs = 0
  }

  async close(): Promise<void> {
    this.#isOver = true
    await this.#links.close()
    this.#kernel.close()
  }

  #begin({ monotonicUs }: Clock): Sweep | undefined {
    if (monotonicUs < this.#dueUs) return undefined
    const intervalUs = this.#options.interval * 1000
    // In step with the first sweep; after a long sleep from now on.
    const next = this.#dueUs + intervalUs
    this.#dueUs = next > monotonicUs ? next : monotonicUs + intervalUs
    return { flows: cursor(), others: cursor(), gone: [...this.#links.gone] }
  }

  #readFlows({ flows }: Sweep, clock: Clock, rowsMax: number): FlowRows | null {
    const room = Math.min(CHUNK, rowsMax)
    const keys = this.#keys.bytes.subarray(0, room * flowKey.size)
    const values = this.#values.bytes.subarray(0, room * flowCount.size)
    for (let scanned = 0; !flows.done && (scanned < SCAN_MAX || this.#isFinishing); ) {
      const count = this.#map.readBatch(flows, keys, values)
      scanned += count
      const rows = this.#examine(count, clock)
      if (rows > 0) return this.#rowsOf(rows, clock)
    }
    return null
  }

  /** The rows behind the flows' own, and the end of the sweep with the last of them. */
  #readOthers(sweep: Sweep, { unixUs, monotonicUs }: Clock): FlowRows | null {
    if (!sweep.flows.done) return null
    while (!sweep.others.done) {
      const rows = this.#others.read(sweep.others, unixUs - monotonicUs, this.#links.gone)
      if (rows) return rows
    }
    this.#lost += this.#others.countFrames()
    this.#links.forget(sweep.gone)
    this.#sweep = undefined
    this.#isOver = this.#isFinishing
    return null
  }

  /** Finds the entries of the chunk that have a row; takes those out that ended. */
  #examine(count: number, { monotonicUs }: Clock): number {
    const keyWords = flowKey.size >> 2
    let rows = 0
    for (let at = 0; at < count; at++) {
      const entry = this.#table.findOrAdd(this.#keys.words, at * keyWords)
      const start = entry * keptWords
      let ending = this.#ending(at, monotonicUs)
      if (ending > 0 && !this.#take(at)) ending = 0
      if (ending === 0 && !hasGrown(this.#values, at, this.#table.values, start)) continue
      this.#places[rows] = at
      this.#entries[rows] = entry
      this.#endings[rows++] = ending
    }
    return rows
  }

  /** flow_state of the last row if this entry is over, else 0. */
  #ending(at: number, nowUs: number): number {
    const byte = at * flowCount.size
    const { fields } = flowCount
    const { words } = this.#values
    const last = (byte + fields.last_ns.offset) >> 2
    const idleUs = nowUs - (words[last]! + words[last + 1]! * 2 ** 32) / 1000
    const flags = this.#values.halves[(byte + fields.tcp_flags.offset) >> 1]!
    const state =
      flags & TCP_RST ? flowState.reset : flags & TCP_FIN ? flowState.closed : flowState.idle
    const { gone } = this.#links
    if (gone.size > 0) {
      const ifindex = this.#keys.words[(at * flowKey.size + flowKey.fields.interface.offset) >> 2]!
      if (gone.has(ifindex)) return state
    }
    const timeout =
      state === flowState.idle ? this.#options.idle_timeout : this.#options.ended_timeout
    return idleUs >= timeout * 1000 ? state : 0
  }

  /** Deletes the entry; its value in the chunk becomes the one it had at that moment. */
  #take(at: number): boolean {
    const key = this.#keys.bytes.subarray(at * flowKey.size, (at + 1) * flowKey.size)
    const value = this.#values.bytes.subarray(at * flowCount.size, (at + 1) * flowCount.size)
    return this.#map.take(key, value)
  }

  #rowsOf(count: number, { unixUs, monotonicUs }: Clock): FlowRows {
    const rows = new FlowRows(count, unixUs - monotonicUs, this.#nameOf)
    for (let index = 0; index < count; index++) {
      const entry = this.#entries[index]!
      const ending = this.#endings[index]!
      const start = entry * keptWords
      const kept = this.#table.values
      rows.add(this.#keys, this.#values, this.#places[index]!, kept, start, ending)
      if (ending > 0) this.#table.delete(entry)
    }
    return rows
  }
}

function cursor(): MapCursor {
  return { done: false, position: null }
}
