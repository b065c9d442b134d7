/**
 * Links and default routes of this network namespace, from rtnetlink.
 *
 * `list` and `defaultRoutes` ask the kernel anew; a thread of the addon tells when asking is worth
 * it. Numbers below are from `linux/if_link.h` and `linux/rtnetlink.h`.
 */
import type { Addon, Handle } from './addon.ts'
import {
  ask,
  attributesOf,
  flag,
  type Message,
  messagesOf,
  NetlinkRequest,
  textOf,
  u32Of,
} from './netlink.ts'
import type { Link, LinkWatch } from './types.ts'

const getLink = 18
const newLink = 16
const getRoute = 26
const newRoute = 24
const linkHeader = 16
const routeHeader = 12
const flagUp = 1
const tableMain = 254
const routeUnicast = 1
const families = { inet: 2, inet6: 10 }
const tunTypeTap = 2

export class KernelLinks implements LinkWatch {
  readonly #addon: Addon
  readonly #callbacks: (() => void)[] = []
  #watch: Handle | null = null
  #closed = false

  constructor(addon: Addon) {
    this.#addon = addon
  }

  list(): Link[] {
    const request = new NetlinkRequest(getLink, flag.request | flag.dump)
    request.u32(0).u32(0).u32(0).u32(0)
    return linksOf(ask(this.#addon, request))
  }

  defaultRoutes(): number[] {
    const links = new Set<number>()
    for (const family of Object.values(families)) {
      const request = new NetlinkRequest(getRoute, flag.request | flag.dump)
      request.u8(family).u8(0).u16(0).u32(0).u32(0)
      for (const ifindex of defaultRoutesOf(ask(this.#addon, request))) links.add(ifindex)
    }
    return [...links]
  }

  onChange(callback: () => void): void {
    if (this.#closed) return
    this.#callbacks.push(callback)
    this.#watch ??= this.#addon.watch(() => {
      for (const one of this.#callbacks) if (!this.#closed) one()
    })
  }

  close(): void {
    this.#closed = true
    if (this.#watch !== null) this.#addon.close(this.#watch)
    this.#watch = null
  }
}

/** The links in the bytes of an RTM_GETLINK answer. */
export function readLinks(answer: Uint8Array): Link[] {
  return linksOf([...messagesOf(answer)])
}

/** ifindex of each link that a default route of an RTM_GETROUTE answer uses, with repeats. */
export function readDefaultRoutes(answer: Uint8Array): number[] {
  return defaultRoutesOf([...messagesOf(answer)])
}

function linksOf(messages: readonly Message[]): Link[] {
  return messages
    .filter(({ type, payload }) => type === newLink && payload.length >= linkHeader)
    .map(({ payload }) => readLink(payload))
}

function readLink(payload: Uint8Array): Link {
  const header = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const attributes = attributesOf(payload, linkHeader)
  const ifindex = header.getUint32(4, true)
  const lower = u32Of(attributes.get(5))
  const lowerElsewhere = attributes.has(37)
  const info = attributesOf(attributes.get(18) ?? new Uint8Array(), 0)
  const kind = textOf(info.get(1))
  const details = attributesOf(info.get(2) ?? new Uint8Array(), 0)
  const counter = counterOf(attributes.get(23))
  return {
    ifindex,
    name: textOf(attributes.get(3)),
    kind,
    hardwareType: header.getUint16(2, true),
    up: (header.getUint32(8, true) & flagUp) !== 0,
    master: u32Of(attributes.get(10)),
    // A device that stands on nothing may name itself.
    lower: lower === ifindex && !lowerElsewhere ? 0 : lower,
    lowerElsewhere,
    tap: kind === 'tun' && details.get(3)?.[0] === tunTypeTap,
    receivedPackets: counter(0),
    receivedBytes: counter(2),
    transmittedPackets: counter(1),
    transmittedBytes: counter(3),
  }
}

/** Reads the nth u64 of struct rtnl_link_stats64; exact to 2^53. */
function counterOf(stats: Uint8Array | undefined): (index: number) => number {
  if (!stats || stats.length < 32) return () => 0
  const view = new DataView(stats.buffer, stats.byteOffset, stats.byteLength)
  return index => view.getUint32(index * 8, true) + view.getUint32(index * 8 + 4, true) * 4294967296
}

function defaultRoutesOf(messages: readonly Message[]): number[] {
  const found: number[] = []
  for (const { type, payload } of messages) {
    if (type !== newRoute || payload.length < routeHeader) continue
    const [, bits, , , table, , , routeType] = payload
    if (bits !== 0 || routeType !== routeUnicast) continue
    const attributes = attributesOf(payload, routeHeader)
    const realTable = attributes.has(15) ? u32Of(attributes.get(15)) : table
    if (realTable !== tableMain) continue
    const ifindex = u32Of(attributes.get(4))
    if (ifindex > 0) found.push(ifindex)
    found.push(...nextHops(attributes.get(9)))
  }
  return found
}

/** ifindex of each struct rtnexthop of RTA_MULTIPATH. */
function nextHops(multipath: Uint8Array | undefined): number[] {
  if (!multipath) return []
  const view = new DataView(multipath.buffer, multipath.byteOffset, multipath.byteLength)
  const found: number[] = []
  for (let at = 0; at + 8 <= multipath.length; ) {
    const length = view.getUint16(at, true)
    if (length < 8) break
    found.push(view.getUint32(at + 4, true))
    at += (length + 3) & ~3
  }
  return found
}
