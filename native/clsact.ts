/**
 * Attaches to links of kernels before TCX (6.6): a clsact filter of our own.
 *
 * A filter outlives its process, so each carries a name `fovea:<token>:<program>`, and its owner
 * holds the token as an abstract socket that dies with it. At the next attach to a link, filters
 * whose token nobody holds are deleted. A qdisc is never deleted, and neither is any filter that
 * lacks our handle and our name.
 */
import { randomBytes } from 'node:crypto'
import { type Addon, errnoOf, type Handle } from './addon.ts'
import { ask, attributesOf, flag, NetlinkRequest, textOf } from './netlink.ts'

const newQdisc = 36
const newFilter = 44
const deleteFilter = 45
const getFilter = 46
const parentClsact = 0xfffffff1
const handleClsact = 0xffff0000
const parents = { ingress: 0xfffffff2, egress: 0xfffffff3 }
const messageSize = 20
const attribute = { kind: 1, options: 2 }
const option = { fd: 6, name: 7, flags: 8 }
const directAction = 1
const protocolAll = 0x0300

/** Upper half of the handles of our filters. */
const handlePrefix = 0xf0ea
/**
 * First in the chain, or what another owner answers would hide packets from us. A priority can be
 * taken by a filter of another kind; then the next one is tried.
 */
const priorities = [1, 2, 3, 4]

type Direction = keyof typeof parents

export interface Filter {
  readonly ifindex: number
  readonly parent: number
  /** Priority in the upper 16 bits, protocol below. */
  readonly info: number
  readonly handle: number
  readonly name: string
}

export class Clsact {
  readonly #addon: Addon
  readonly #token = randomBytes(8).toString('hex')
  #claim: Handle | null = null

  constructor(addon: Addon) {
    this.#addon = addon
  }

  /**
   * Attaches a loaded program.
   * @throws Error with the errno that the kernel answered.
   */
  attach(fd: number, program: string, ifindex: number, direction: Direction): Filter {
    this.#claim ??= this.#addon.claim(`fovea/${this.#token}`)
    this.#addQdisc(ifindex)
    this.#deleteStale(ifindex, parents[direction])
    return this.#addFilter(fd, `fovea:${this.#token}:${program}`, ifindex, direction)
  }

  close(): void {
    if (this.#claim !== null) this.#addon.close(this.#claim)
    this.#claim = null
  }

  #addQdisc(ifindex: number): void {
    const flags = flag.request | flag.acknowledge | flag.create | flag.exclusive
    const request = new NetlinkRequest(newQdisc, flags)
    trafficHeader(request, { ifindex, handle: handleClsact, parent: parentClsact, info: 0 })
    try {
      ask(this.#addon, request.text(attribute.kind, 'clsact'))
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
    }
  }

  #addFilter(fd: number, name: string, ifindex: number, direction: Direction): Filter {
    let refused: unknown
    for (const priority of priorities) {
      // A taken handle is as unlikely as a taken token; the next priority is free of both.
      const handle = handlePrefix * 65536 + randomBytes(2).readUInt16LE()
      const info = priority * 65536 + protocolAll
      const filter = { ifindex, parent: parents[direction], info, handle, name }
      const flags = flag.request | flag.acknowledge | flag.create | flag.exclusive
      const request = new NetlinkRequest(newFilter, flags)
      trafficHeader(request, filter)
      request.text(attribute.kind, 'bpf').attribute(attribute.options, options => {
        options.attribute(option.fd, body => body.u32(fd))
        options.text(option.name, name)
        options.attribute(option.flags, body => body.u32(directAction))
      })
      try {
        ask(this.#addon, request)
        return filter
      } catch (error) {
        refused = error
        if (!['EEXIST', 'EINVAL', 'ENOENT'].includes(errnoOf(error))) break
      }
    }
    throw refused
  }

  /** Whether the filter is still there: another owner may have deleted it or its qdisc. */
  has({ ifindex, parent, name }: Filter): boolean {
    try {
      return this.#filters(ifindex, parent).some(filter => filter.name === name)
    } catch {
      return false
    }
  }

  #deleteStale(ifindex: number, parent: number): void {
    for (const filter of this.#filters(ifindex, parent)) {
      const token = /^fovea:([0-9a-f]{16}):/.exec(filter.name)?.[1]
      if (token && this.#isAbandoned(token)) this.delete(filter)
    }
  }

  /** The filters with our handle at this hook. */
  #filters(ifindex: number, parent: number): Filter[] {
    const request = new NetlinkRequest(getFilter, flag.request | flag.dump)
    trafficHeader(request, { ifindex, handle: 0, parent, info: 0 })
    return ask(this.#addon, request)
      .filter(({ type, payload }) => type === newFilter && payload.length >= messageSize)
      .flatMap(({ payload }) => readFilter(payload) ?? [])
  }

  #isAbandoned(token: string): boolean {
    try {
      this.#addon.close(this.#addon.claim(`fovea/${token}`))
      return true
    } catch {
      return false
    }
  }

  /** The link, its qdisc or the filter may be gone already: then there is nothing to delete. */
  delete(filter: Filter): void {
    const request = new NetlinkRequest(deleteFilter, flag.request | flag.acknowledge)
    trafficHeader(request, filter)
    try {
      ask(this.#addon, request.text(attribute.kind, 'bpf'))
    } catch (error) {
      if (!['ENOENT', 'ENODEV', 'EINVAL'].includes(errnoOf(error))) throw error
    }
  }
}

/** struct tcmsg */
function trafficHeader(
  request: NetlinkRequest,
  { ifindex, handle, parent, info }: Omit<Filter, 'name'>,
): void {
  request.u32(0).u32(ifindex).u32(handle).u32(parent).u32(info)
}

/** A filter with our handle, or null for any other. */
function readFilter(payload: Uint8Array): Filter | null {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const handle = view.getUint32(8, true)
  const attributes = attributesOf(payload, messageSize)
  if (handle >>> 16 !== handlePrefix || textOf(attributes.get(attribute.kind)) !== 'bpf')
    return null
  const options = attributesOf(attributes.get(attribute.options) ?? new Uint8Array(), 0)
  return {
    ifindex: view.getUint32(4, true),
    handle,
    parent: view.getUint32(12, true),
    info: view.getUint32(16, true),
    name: textOf(options.get(option.name)),
  }
}
