/**
 * The columns of table `flows`, and one row of them from one entry of the kernel's table.
 *
 * Kernel bytes are read through three views of the same buffer and written to the columns directly:
 * no object and no string per row.
 */
import { BatchWriter } from '../../core/index.ts'
import { pickColumns } from '../columns.ts'
import { flowCount, flowInitiator, flowKey } from './flows.generated.ts'

export const flowColumns = pickColumns([
  'time_us',
  'start_us',
  'source_address',
  'destination_address',
  'source_port',
  'destination_port',
  'protocol',
  'icmp_type',
  'icmp_code',
  'direction',
  'interface',
  'interface_name',
  'packets',
  'bytes',
  'duplicate',
  'syn',
  'syn_ack',
  'fin',
  'rst',
  'urg',
  'ece',
  'cwr',
  'flow_starts',
  'tcp_flags',
  'flow_state',
  'initiator',
  'is_reply',
  'handshake_us',
  'fragment',
  'other_cause',
])

export const flowState = { new: 1, active: 2, closed: 3, reset: 4, idle: 5, other: 6 } as const

/** Those of the TCP header; the bits above are the kernel half's own. */
const TCP_FLAGS = 0x1ff

const key = flowKey.fields
const count = flowCount.fields

/** The 32-bit counters of a flow, each a column of its own. */
const counters = ['flow_starts', 'syn', 'syn_ack', 'fin', 'rst', 'urg', 'ece', 'cwr'] as const
const counterWords = Int32Array.from(counters, name => count[name].offset >> 2)
const COUNTERS = counters.length
const PACKETS = count.packets.offset >> 2
const BYTES = count.bytes.offset >> 2
const HANDSHAKE = count.handshake_us.offset >> 2

/**
 * Words of a value that are kept between reads: packets, bytes, handshake_us, then the counters.
 */
const KEPT_PACKETS = 0
const KEPT_BYTES = 2
const KEPT_HANDSHAKE = 4
const KEPT_COUNTERS = 5
export const keptWords = KEPT_COUNTERS + COUNTERS

/** Entries of a map as bytes, half-words and words, in one buffer. */
export interface Chunk {
  readonly bytes: Uint8Array
  readonly halves: Uint16Array
  readonly words: Uint32Array
}

export function chunkOf(byteLength: number): Chunk {
  const buffer = new ArrayBuffer(byteLength)
  return {
    bytes: new Uint8Array(buffer),
    halves: new Uint16Array(buffer),
    words: new Uint32Array(buffer),
  }
}

const TWO_32 = 2 ** 32

/** A u64 at a word index; exact to 2^53. */
export function wideAt(words: Uint32Array, word: number): number {
  return words[word]! + words[word + 1]! * TWO_32
}

/** True when the entry counted packets since `kept[start...]` was written. */
export function hasGrown(values: Chunk, at: number, kept: Uint32Array, start: number): boolean {
  const word = at * (flowCount.size >> 2) + PACKETS
  const slot = start + KEPT_PACKETS
  return values.words[word] !== kept[slot] || values.words[word + 1] !== kept[slot + 1]
}

/**
 * A batch under construction. Give it rows with `add`, as many as it was made for.
 *
 * 64-bit values are put together where they are used: a function that returns one would box it on
 * the heap for every row wherever V8 does not inline it.
 */
export class FlowRows {
  readonly writer: BatchWriter<typeof flowColumns>
  readonly #sources: Uint32Array
  readonly #destinations: Uint32Array
  readonly #counters: readonly Uint32Array[]
  /** Unix minus monotonic time, microseconds. */
  readonly #offsetUs: number
  readonly #nameOf: (ifindex: number) => string
  /** Text of the link last asked for: neighbours in the table mostly share it. */
  #nameIndex = -1
  #name = 0

  constructor(rows: number, offsetUs: number, nameOf: (ifindex: number) => string) {
    this.writer = new BatchWriter('flows', flowColumns, rows)
    const { source_address, destination_address } = this.writer.data
    this.#sources = wordsOf(source_address)
    this.#destinations = wordsOf(destination_address)
    this.#counters = counters.map(name => this.writer.data[name])
    this.#offsetUs = Math.round(offsetUs)
    this.#nameOf = nameOf
  }

  unixUs(ns: number): number {
    return Math.floor(ns / 1000) + this.#offsetUs
  }

  interfaceName(ifindex: number): number {
    if (ifindex !== this.#nameIndex) {
      this.#nameIndex = ifindex
      this.#name = this.writer.textId(this.#nameOf(ifindex))
    }
    return this.#name
  }

  /**
   * One row: entry `at` of the chunk, less what `kept[start...]` holds of it, which is then
   * renewed.
   * @param ending flow_state of a last row, else 0.
   */
  add(
    keys: Chunk,
    values: Chunk,
    at: number,
    kept: Uint32Array,
    start: number,
    ending: number,
  ): void {
    const row = this.writer.length++
    const isFirst = kept[start + KEPT_PACKETS] === 0 && kept[start + KEPT_PACKETS + 1] === 0
    this.#fillKey(row, keys, at)
    this.#fillState(row, values, at)
    this.#fillGrowth(row, values.words, at, kept, start)
    const { flow_starts, flow_state } = this.writer.data
    const isNew = isFirst || flow_starts[row]! > 0
    flow_state[row] = ending || (isNew ? flowState.new : flowState.active)
  }

  #fillKey(row: number, { bytes, halves, words }: Chunk, at: number): void {
    const { data } = this.writer
    const byte = at * flowKey.size
    const half = byte >> 1
    const word = byte >> 2
    for (let part = 0; part < 4; part++) {
      this.#sources[row * 4 + part] = words[word + (key.source_address.offset >> 2) + part]!
      this.#destinations[row * 4 + part] =
        words[word + (key.destination_address.offset >> 2) + part]!
    }
    const ifindex = words[word + (key.interface.offset >> 2)]!
    data.source_port[row] = halves[half + (key.source_port.offset >> 1)]!
    data.destination_port[row] = halves[half + (key.destination_port.offset >> 1)]!
    data.protocol[row] = bytes[byte + key.protocol.offset]!
    data.icmp_type[row] = bytes[byte + key.icmp_type.offset]!
    data.icmp_code[row] = bytes[byte + key.icmp_code.offset]!
    data.fragment[row] = bytes[byte + key.fragment.offset]!
    data.direction[row] = bytes[byte + key.direction.offset]!
    data.duplicate[row] = bytes[byte + key.duplicate.offset]!
    data.interface[row] = ifindex
    data.interface_name[row] = this.interfaceName(ifindex)
  }

  #fillState(row: number, { bytes, halves, words }: Chunk, at: number): void {
    const { data } = this.writer
    const byte = at * flowCount.size
    const offsetUs = this.#offsetUs
    const last = (byte + count.last_ns.offset) >> 2
    data.time_us[row] = Math.floor((words[last]! + words[last + 1]! * TWO_32) / 1000) + offsetUs
    const first = (byte + count.first_ns.offset) >> 2
    data.start_us[row] = Math.floor((words[first]! + words[first + 1]! * TWO_32) / 1000) + offsetUs
    data.tcp_flags[row] = halves[(byte + count.tcp_flags.offset) >> 1]! & TCP_FLAGS
    const initiator = bytes[byte + count.initiator.offset]!
    data.initiator[row] = initiator
    data.is_reply[row] = initiator === flowInitiator.INITIATOR_DESTINATION ? 1 : 0
  }

  #fillGrowth(row: number, words: Uint32Array, at: number, kept: Uint32Array, start: number): void {
    const { data } = this.writer
    const word = at * (flowCount.size >> 2)
    let growth =
      words[word + PACKETS]! -
      kept[start]! +
      (words[word + PACKETS + 1]! - kept[start + 1]!) * TWO_32
    if (growth < 0) {
      // The entry was made anew, all its counters began at 0 again.
      kept.fill(0, start, start + keptWords)
      growth = words[word + PACKETS]! + words[word + PACKETS + 1]! * TWO_32
    }
    data.packets[row] = growth
    const bytes = start + KEPT_BYTES
    data.bytes[row] =
      words[word + BYTES]! - kept[bytes]! + (words[word + BYTES + 1]! - kept[bytes + 1]!) * TWO_32
    for (let index = 0; index < COUNTERS; index++) {
      const slot = start + KEPT_COUNTERS + index
      const total = words[word + counterWords[index]!]!
      this.#counters[index]![row] = total - kept[slot]!
      kept[slot] = total
    }
    const handshake = words[word + HANDSHAKE]!
    const isTold = data.flow_starts[row] === 0 && handshake === kept[start + KEPT_HANDSHAKE]
    data.handshake_us[row] = isTold ? 0 : handshake
    kept[start + KEPT_HANDSHAKE] = handshake
    for (let half = 0; half < 2; half++) {
      kept[start + KEPT_PACKETS + half] = words[word + PACKETS + half]!
      kept[start + KEPT_BYTES + half] = words[word + BYTES + half]!
    }
  }
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
}
