/**
 * What the operating system offers Fovea, as one interface with two implementations.
 *
 * `native/kernel.ts` answers from the running kernel through the C addon; `native/replay.ts`
 * answers from a recorded tape. Receivers hold a `Kernel` and cannot tell which. Everything that
 * crosses this border is bytes: no struct of a receiver is known here (`native/layout.ts` gives
 * bytes meaning).
 */

/** The part of core's host that this folder uses; stated here because native imports no sibling. */
export interface KernelHost {
  /** Component id, names the stream on a tape: `flows`, `flows/uplink`. */
  readonly id: string
  /** Absolute path of a file in the component's folder. */
  asset(name: string): string
  /** Present while recording or replaying (`core/tape.ts`). */
  readonly tape?: KernelTape
}

/** A recorded sequence of answers, one queue per `key`. */
export interface KernelTape {
  readonly mode: 'record' | 'replay'
  /** Record mode: appends one answer. */
  append(key: string, bytes: Uint8Array): void
  /** Replay mode: the next answer recorded under `key`, or null when there is none left. */
  next(key: string): Uint8Array | null
}

/** One moment on both clocks, read together. Both in microseconds. */
export interface Clock {
  /** CLOCK_MONOTONIC, the clock of `bpf_ktime_get_ns`. */
  readonly monotonicUs: number
  readonly unixUs: number
}

export interface Kernel {
  /**
   * Loads the object file `name` of the component's folder.
   * @throws KernelError when a right or a kernel feature is missing, with the remedy and the last
   * verifier line.
   */
  openObject(name: string, options?: ObjectOptions): BpfObject
  /**
   * Values of a kernel enum by number, from the kernel's BTF; empty when it has none. `strip` is
   * cut from the front of names.
   */
  enumNames(name: string, strip?: string): Map<number, string>
  /** True when the kernel knows this BPF helper for this program type; a cheap probe, cached. */
  hasHelper(programType: 'tc' | 'tracing', helper: number): boolean
  clock(): Clock
  /** Network links and default routes of this network namespace, kept current. */
  links(): LinkWatch
  /** Closes every object, attachment and watch that was opened through this kernel. Safe twice. */
  close(): void
}

export interface ObjectOptions {
  /**
   * `const volatile` settings of the program by C name; an unknown name or a value too large for
   * its type throws.
   */
  readonly settings?: Readonly<Record<string, number>>
  /** `max_entries` by map name. */
  readonly mapSizes?: Readonly<Record<string, number>>
  /** Programs to load; all others are left out. Default: all. */
  readonly programs?: readonly string[]
}

export interface BpfObject {
  /**
   * First 16 hex digits of the SHA-256 of what the object's BTF says of its SHARED structs and
   * enums: names their layout on a tape.
   */
  readonly btfHash: string
  map(name: string): BpfMap
  ring(name: string): BpfRing
  attach(program: string, target: AttachTarget): Attachment
  /** Attaches the first program that loads and attaches; throws the last error when none does. */
  attachFirst(programs: readonly string[], target: AttachTarget): Attachment
  testRun(program: string, input: TestRunInput): TestRunResult
  close(): void
}

export type AttachTarget =
  | { readonly kind: 'tp_btf' }
  | { readonly kind: 'raw_tracepoint'; readonly name: string }
  | { readonly kind: 'tracepoint'; readonly category: string; readonly name: string }
  /** TCX link where the kernel has them (6.6), else a clsact filter of our own. */
  | { readonly kind: 'tc'; readonly ifindex: number; readonly direction: 'ingress' | 'egress' }
  | { readonly kind: 'xdp'; readonly ifindex: number }
  /** AF_PACKET socket bound to the link (0: all links) with the program as its filter. */
  | { readonly kind: 'socket_filter'; readonly ifindex: number }
  | { readonly kind: 'iterator' }
  | { readonly kind: 'cgroup'; readonly path: string; readonly attachType: number }

export interface Attachment {
  readonly program: string
  /** How it is attached: `tcx`, `clsact`, `link`, `socket`. */
  readonly via: string
  /**
   * Iterators: one pass over all objects, bytes as the program wrote them. A full buffer means that
   * the next call goes on with the same pass; fewer bytes mean that it has ended.
   */
  read?(into: Uint8Array): number
  /**
   * tc: false once it sees no packet any more although nobody closed it, because the interface is
   * gone (and another may have its ifindex), or because another owner deleted the qdisc or filter.
   */
  isAttached?(): boolean
  /** Detaches. Safe twice, and after the link is gone. */
  close(): void
}

export interface BpfMap {
  readonly keySize: number
  /**
   * Bytes of one value as user space sees it: for per-CPU maps the values of all possible CPUs,
   * each 8-byte aligned.
   */
  readonly valueSize: number
  readonly entriesMax: number
  /**
   * Reads the next entries after `cursor` into the two buffers, as many as fit.
   * @returns how many entries were written; `cursor.done` is true after the last one. A fresh
   * cursor starts over.
   */
  readBatch(cursor: MapCursor, keys: Uint8Array, values: Uint8Array): number
  lookup(key: Uint8Array, value: Uint8Array): boolean
  update(key: Uint8Array, value: Uint8Array): void
  /** False when there was no such entry. */
  delete(key: Uint8Array): boolean
  /** Look-up and delete in one step (5.14 for hashes; before that a look-up, then a delete). */
  take(key: Uint8Array, value: Uint8Array): boolean
}

export interface MapCursor {
  done: boolean
  /** Opaque position; starts as null. */
  position: Uint8Array | null
}

export interface BpfRing {
  /**
   * Moves whole records into `into`: each is a u32 length, a u32 zero, the data, padding to 8
   * bytes.
   * @returns bytes written; 0 when the ring is empty.
   */
  drain(into: Uint8Array): number
}

export interface TestRunInput {
  readonly data: Uint8Array
  /** struct __sk_buff or the like, as bytes. */
  readonly context?: Uint8Array
  readonly repeat?: number
  /** XDP live frames (5.18): the packets really travel. */
  readonly liveFrames?: boolean
}

export interface TestRunResult {
  readonly returnValue: number
  /** Nanoseconds of one run, the kernel's average over `repeat`. */
  readonly durationNs: number
}

/** One network link, as rtnetlink told it (`linux/if_link.h`). */
export interface Link {
  readonly ifindex: number
  readonly name: string
  /** IFLA_INFO_KIND: `veth`, `bridge`, `vxlan`, `tun`, `bond`, `vlan`...; empty for hardware. */
  readonly kind: string
  /** ARPHRD_* : 1 Ethernet, 772 loopback, 65534 none (layer 3). */
  readonly hardwareType: number
  readonly up: boolean
  /** ifindex of the bridge or bond above, 0 none. */
  readonly master: number
  /** IFLA_LINK: ifindex of the peer (veth) or the device below (vlan, vxlan), 0 none. */
  readonly lower: number
  /** True when IFLA_LINK lies in another network namespace. */
  readonly lowerElsewhere: boolean
  /** tun devices: true for a tap (layer 2). */
  readonly tap: boolean
  readonly receivedPackets: number
  readonly receivedBytes: number
  readonly transmittedPackets: number
  readonly transmittedBytes: number
}

export interface LinkWatch {
  /** All links now, one netlink dump. */
  list(): Link[]
  /** ifindex of every link that carries a default route, IPv4 and IPv6, main table. */
  defaultRoutes(): number[]
  /**
   * Calls back within milliseconds of a change of links or default routes; several changes may come
   * as one call.
   */
  onChange(callback: () => void): void
  close(): void
}

/**
 * The machine lacks something; core prints the message and ends with exit code 3 if nothing else
 * can run.
 */
export class KernelError extends Error {
  override readonly name = 'EnvironmentError'
  /** What to do, one sentence or command. */
  readonly remedy: string
  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options)
    this.remedy = remedy
  }
}
