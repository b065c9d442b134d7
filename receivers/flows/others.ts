/**
 * Packets that have no flow of their own: rows with zero addresses, one for each link, direction,
 * protocol and cause, so that totals always reconcile with what the links carried.
 *
 * Frames that are not IP, and packets that not even these rows can tell apart, are plain counters.
 */
import type { Host } from '../../core/index.ts'
import type { BpfMap, BpfObject, MapCursor } from '../../native/index.ts'
import { CounterTable } from '../counter_table.ts'
import { frameCount, frameCounter, otherCause, otherCount, otherKey } from './flows.generated.ts'
import { type Chunk, chunkOf, FlowRows, flowState, wideAt } from './rows.ts'

const CHUNK = 512
/** Words kept of an entry: packets and bytes. */
const KEPT = 4
const causes: Readonly<Record<number, string>> = {
  [otherCause.TABLE_FULL]: 'table_full',
  [otherCause.UNREADABLE_HEADER]: 'unreadable',
}

export interface OtherSources {
  readonly host: Host
  readonly object: BpfObject
  readonly nameOf: (ifindex: number) => string
}

export class OtherRows {
  readonly #sources: OtherSources
  readonly #map: BpfMap
  readonly #frames: BpfMap
  readonly #keys = chunkOf(CHUNK * otherKey.size)
  readonly #values = chunkOf(CHUNK * otherCount.size)
  readonly #frameValues: Chunk
  readonly #table = new CounterTable(otherKey.size >> 2, KEPT)
  readonly #framesBefore = new Float64Array(2 * frameCounter.FRAME_COUNTERS)

  constructor(sources: OtherSources) {
    this.#sources = sources
    this.#map = sources.object.map('other_table')
    this.#frames = sources.object.map('frame_counters')
    this.#frameValues = chunkOf(this.#frames.valueSize)
  }

  /**
   * The rows of the next chunk, or null when none of its entries grew.
   * Entries of links in `gone` are taken out of the table.
   */
  read(cursor: MapCursor, offsetUs: number, gone: ReadonlySet<number>): FlowRows | null {
    const count = this.#map.readBatch(cursor, this.#keys.bytes, this.#values.bytes)
    let rows: FlowRows | null = null
    for (let at = 0; at < count; at++) {
      const ifindex = this.#keys.words[(at * otherKey.size) >> 2]!
      const isGone = gone.has(ifindex) && this.#take(at)
      const entry = this.#table.findOrAdd(this.#keys.words, at * (otherKey.size >> 2))
      const kept = this.#table.values
      const start = entry * KEPT
      const word = at * (otherCount.size >> 2)
      const packets = wideAt(this.#values.words, word) - wideAt(kept, start)
      const bytes = wideAt(this.#values.words, word + 2) - wideAt(kept, start + 2)
      if (packets > 0) {
        rows ??= new FlowRows(count - at, offsetUs, this.#sources.nameOf)
        this.#fill(rows, at, packets, bytes)
        for (let part = 0; part < KEPT; part++) {
          kept[start + part] = this.#values.words[word + part]!
        }
      }
      if (isGone) this.#table.delete(entry)
    }
    return rows
  }

  /** Tells the counters of frames to the host. @returns packets that no row can show. */
  countFrames(): number {
    const { host } = this.#sources
    const notIp = this.#frameGrowth(frameCounter.FRAMES_NOT_IP)
    if (notIp.packets > 0) {
      host.count('not_ip_packets', notIp.packets)
      host.count('not_ip_bytes', notIp.bytes)
    }
    const lost = this.#frameGrowth(frameCounter.FRAMES_LOST).packets
    if (lost > 0) host.lost('other_table_full', lost)
    return lost
  }

  #take(at: number): boolean {
    const key = this.#keys.bytes.subarray(at * otherKey.size, (at + 1) * otherKey.size)
    const value = this.#values.bytes.subarray(at * otherCount.size, (at + 1) * otherCount.size)
    return this.#map.take(key, value)
  }

  #fill(rows: FlowRows, at: number, packets: number, bytes: number): void {
    const { writer } = rows
    const { data } = writer
    const row = writer.length++
    const key = at * otherKey.size
    const word = at * (otherCount.size >> 2)
    const { fields } = otherCount
    const ifindex = this.#keys.words[key >> 2]!
    data.interface[row] = ifindex
    data.interface_name[row] = rows.interfaceName(ifindex)
    data.protocol[row] = this.#keys.bytes[key + otherKey.fields.protocol.offset]!
    data.direction[row] = this.#keys.bytes[key + otherKey.fields.direction.offset]!
    data.duplicate[row] = this.#keys.bytes[key + otherKey.fields.duplicate.offset]!
    const cause = this.#keys.bytes[key + otherKey.fields.cause.offset]!
    data.other_cause[row] = writer.textId(causes[cause] ?? '')
    data.flow_state[row] = flowState.other
    data.packets[row] = packets
    data.bytes[row] = bytes
    const { words } = this.#values
    data.time_us[row] = rows.unixUs(wideAt(words, word + (fields.last_ns.offset >> 2)))
    data.start_us[row] = rows.unixUs(wideAt(words, word + (fields.first_ns.offset >> 2)))
  }

  /** Growth of one per-CPU counter over all CPUs. */
  #frameGrowth(counter: number): { packets: number; bytes: number } {
    const words = this.#frameValues.words
    this.#frames.lookup(new Uint8Array(Uint32Array.of(counter).buffer), this.#frameValues.bytes)
    const before = this.#framesBefore
    let packets = -before[counter * 2]!
    let bytes = -before[counter * 2 + 1]!
    for (let word = 0; word < words.length; word += frameCount.size >> 2) {
      packets += wideAt(words, word)
      bytes += wideAt(words, word + 2)
    }
    before[counter * 2]! += packets
    before[counter * 2 + 1]! += bytes
    return { packets, bytes }
  }
}
