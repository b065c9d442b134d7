/**
 * Crafted packets, layer by layer, for programs that are test-run.
 */

export type Bytes = Uint8Array

export function join(...parts: readonly (Bytes | readonly number[])[]): Bytes {
  return Uint8Array.from(parts.flatMap(part => [...part]))
}

function u16(value: number): number[] {
  return [(value >> 8) & 255, value & 255]
}

export function ethernet(type: number, payload: Bytes): Bytes {
  return join([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1], u16(type), payload)
}

/** A tag between Ethernet addresses and `frame`'s own type; `frame` is an Ethernet frame. */
export function tagged(frame: Bytes, id: number, type = 0x8100): Bytes {
  return join(frame.subarray(0, 12), u16(type), u16(id), frame.subarray(12))
}

export interface Ipv4Options {
  readonly protocol: number
  readonly source?: readonly number[]
  readonly destination?: readonly number[]
  /** Bytes of options, padded to four. */
  readonly options?: readonly number[]
  /** Flags and offset, the raw 16 bits. */
  readonly fragment?: number
  /** Overrides the true total length. */
  readonly length?: number
  /** Overrides the header length in words. */
  readonly words?: number
  readonly version?: number
}

export function ipv4(options: Ipv4Options, payload: Bytes): Bytes {
  const { source = [10, 0, 0, 1], destination = [10, 0, 0, 2], fragment = 0 } = options
  const extra = [...(options.options ?? [])]
  while (extra.length % 4 !== 0) extra.push(0)
  const words = options.words ?? 5 + extra.length / 4
  const length = options.length ?? 20 + extra.length + payload.length
  return join(
    [((options.version ?? 4) << 4) | words, 0, ...u16(length), 0, 7, ...u16(fragment)],
    [64, options.protocol, 0, 0, ...source, ...destination, ...extra],
    payload,
  )
}

export interface Ipv6Options {
  readonly next: number
  readonly source?: readonly number[]
  readonly destination?: readonly number[]
  readonly length?: number
}

const address6 = (last: number) => [0xfd, 0x90, ...new Array(13).fill(0), last]

export function ipv6(options: Ipv6Options, payload: Bytes): Bytes {
  const { source = address6(1), destination = address6(2) } = options
  const length = options.length ?? payload.length
  return join([0x60, 0, 0, 0, ...u16(length), options.next, 64], source, destination, payload)
}

/** An extension header of `bytes` bytes (a multiple of 8) before `payload`. */
export function extension(next: number, bytes: number, payload: Bytes): Bytes {
  return join([next, bytes / 8 - 1], new Array(bytes - 2).fill(0), payload)
}

/** A fragment header; `offset` in units of 8 bytes. */
export function fragment6(next: number, offset: number, payload: Bytes): Bytes {
  return join([next, 0, ...u16(offset << 3), 0, 0, 0, 9], payload)
}

/** An authentication header of `bytes` bytes (a multiple of 4). */
export function authentication(next: number, bytes: number, payload: Bytes): Bytes {
  return join([next, bytes / 4 - 2], new Array(bytes - 2).fill(0), payload)
}

export interface TcpOptions {
  readonly flags: number
  readonly from?: number
  readonly to?: number
  /** Bytes of options, a multiple of four. */
  readonly options?: number
  /** Overrides the header length in words. */
  readonly words?: number
  readonly payload?: number
}

export function tcp(options: TcpOptions): Bytes {
  const { flags, from = 1000, to = 2000, payload = 10 } = options
  const extra = options.options ?? 0
  const words = options.words ?? 5 + extra / 4
  const head = [...u16(from), ...u16(to), 0, 0, 0, 1, 0, 0, 0, 2]
  return join(
    head,
    [(words << 4) | (flags >> 8), flags & 255, 1, 0, 0, 0, 0, 0],
    new Array(extra).fill(1),
    new Array(payload).fill(0x78),
  )
}

export function udp(from: number, to: number, payload: number): Bytes {
  const length = 8 + payload
  return join([...u16(from), ...u16(to), ...u16(length), 0, 0], new Array(payload).fill(0x78))
}

export function sctp(from: number, to: number, payload: number): Bytes {
  return join([...u16(from), ...u16(to)], new Array(8 + payload).fill(0))
}

export function icmp(type: number, code: number, payload = 8): Bytes {
  return join([type, code, 0, 0, 0, 7, 0, 1], new Array(payload).fill(0x78))
}

export interface SkbFacts {
  readonly ifindex?: number
  readonly ingressIfindex?: number
  readonly gsoSegments?: number
  readonly gsoSize?: number
}

/** struct __sk_buff as BPF_PROG_TEST_RUN takes it (`include/uapi/linux/bpf.h`). */
export function skbContext(facts: SkbFacts): Bytes {
  const bytes = new Uint8Array(192)
  const view = new DataView(bytes.buffer)
  view.setUint32(36, facts.ingressIfindex ?? 0, true)
  view.setUint32(40, facts.ifindex ?? 0, true)
  view.setUint32(164, facts.gsoSegments ?? 0, true)
  view.setUint32(176, facts.gsoSize ?? 0, true)
  return bytes
}
