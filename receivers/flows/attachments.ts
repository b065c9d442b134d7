/**
 * Keeps the flow programs attached to the chosen links while links come and go.
 *
 * Follows netlink events at once, so that a pod's first packets are seen. A link that cannot be
 * observed is said once and left out; the others go on.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Host } from '../../core/index.ts'
import type { Attachment, BpfMap, BpfObject, Link, LinkWatch } from '../../native/index.ts'
import { chooseLinks, type LinkPatterns, type LinkRole, type WatchedLink } from '../links.ts'
import { watchedLink } from './flows.generated.ts'

type Programs = { readonly ingress: string; readonly egress: string }

const programs: Record<LinkRole, Programs> = {
  endpoint: { ingress: 'flows_from_endpoint', egress: 'flows_to_endpoint' },
  network: { ingress: 'flows_from_network', egress: 'flows_to_network' },
  loopback: { ingress: 'flows_from_loopback', egress: 'flows_to_network' },
}

interface Observed extends WatchedLink {
  readonly attachments: readonly Attachment[]
}

export class LinkAttachments {
  readonly #object: BpfObject
  readonly #watched: BpfMap
  readonly #watch: LinkWatch
  readonly #host: Host
  readonly #patterns: LinkPatterns
  readonly #observed = new Map<number, Observed>()
  readonly #covered = new Set<number>()
  readonly #names = new Map<number, string>()
  /** What was said of which link, so that it is said once. */
  readonly #said = new Map<string, string>()
  readonly #gone = new Set<number>()
  #isOpen = true

  constructor(object: BpfObject, watch: LinkWatch, host: Host, patterns: LinkPatterns) {
    this.#object = object
    this.#watched = object.map('watched_links')
    this.#watch = watch
    this.#host = host
    this.#patterns = patterns
  }

  /**
   * Attaches to all links that are there and follows changes from now on. The kernel takes about
   * 10 ms for each program of a link, so the event loop has its turn after every link.
   * @throws KernelError when there are links to observe and none of them can be.
   */
  async start(): Promise<void> {
    const errors: unknown[] = []
    for (const link of this.#choose(this.#watch.list())) {
      const error = this.#tryObserve(link)
      if (error) errors.push(error)
      await nextTurn()
    }
    if (this.#observed.size === 0 && errors.length > 0) throw errors[0]
    this.#watch.onChange(() => this.#refresh())
    if (this.#observed.size === 0) {
      const wanted = this.#patterns.interfaces.join(', ')
      this.#host.log.warn(`no link to observe yet (interfaces: ${wanted}); waiting for one`)
    }
  }

  /** Links whose entries are to be taken out of the table, since nobody counts there any more. */
  get gone(): ReadonlySet<number> {
    return this.#gone
  }

  /** The entries of these links are out of the table. */
  forget(links: Iterable<number>): void {
    for (const ifindex of links) {
      this.#gone.delete(ifindex)
      if (!this.#observed.has(ifindex)) this.#names.delete(ifindex)
    }
  }

  /** Name of an observed link, also for a while after it went; empty when unknown. */
  nameOf(ifindex: number): string {
    return this.#names.get(ifindex) ?? ''
  }

  /** Follows no more changes; what is attached goes on counting. Safe twice. */
  stopFollowing(): void {
    this.#isOpen = false
    this.#watch.close()
  }

  /** Detaches everything, the event loop having its turn after every link. Safe twice. */
  async close(): Promise<void> {
    this.stopFollowing()
    for (const [ifindex, { attachments }] of this.#observed) {
      this.#observed.delete(ifindex)
      detach(attachments)
      await nextTurn()
    }
  }

  #refresh(): void {
    if (!this.#isOpen) return
    try {
      for (const link of this.#choose(this.#watch.list())) {
        if (!this.#tryObserve(link)) this.#countUnobserved(link.link)
      }
    } catch (error) {
      this.#host.log.warn(`links cannot be followed: ${messageOf(error)}`)
    }
  }

  /** Lets go of links that are not to be observed any more. @returns those that are and are not. */
  #choose(links: readonly Link[]): WatchedLink[] {
    const facts = { links, defaultRoutes: this.#watch.defaultRoutes() }
    const { watched, covered, refused } = chooseLinks(facts, this.#patterns)
    for (const [ifindex, { role, attachments }] of this.#observed) {
      if (watched.get(ifindex)?.role !== role) this.#drop(ifindex)
      else if (attachments.some(one => one.isAttached?.() === false)) this.#lose(ifindex)
    }
    for (const [name, why] of refused) this.#say(name, `is not observed: ${why}`)
    this.#cover(covered)
    const fresh = [...watched].filter(([ifindex, { link }]) => {
      if (!this.#observed.has(ifindex)) return true
      this.#names.set(ifindex, link.name)
      return false
    })
    return fresh.map(([, link]) => link)
  }

  /** @returns why the link cannot be observed, undefined when it is. */
  #tryObserve(link: WatchedLink): unknown {
    try {
      this.#observe(link)
      return undefined
    } catch (error) {
      this.#say(link.link.name, `is not observed: ${messageOf(error)}`)
      return error
    }
  }

  #observe(link: WatchedLink): void {
    const { ifindex, name } = link.link
    const ending = link.hasEthernet ? '' : '_l3'
    const attachments: Attachment[] = []
    try {
      for (const direction of ['ingress', 'egress'] as const) {
        const program = programs[link.role][direction] + ending
        attachments.push(this.#object.attach(program, { kind: 'tc', ifindex, direction }))
      }
      this.#mark(ifindex, watchedLink.WATCHED)
    } catch (error) {
      detach(attachments)
      throw error
    }
    this.#observed.set(ifindex, { ...link, attachments })
    this.#names.set(ifindex, name)
    this.#gone.delete(ifindex)
    this.#said.delete(name)
    this.#host.log.debug(`observing ${name}`, { role: link.role, via: attachments[0]!.via })
  }

  #drop(ifindex: number): void {
    const observed = this.#observed.get(ifindex)!
    detach(observed.attachments)
    this.#observed.delete(ifindex)
    this.#watched.delete(keyOf(ifindex))
    this.#gone.add(ifindex)
    this.#host.log.debug(`no longer observing ${observed.link.name}`)
  }

  /** Its entries go on: the link, or one in its place, is observed again at once. */
  #lose(ifindex: number): void {
    const { attachments, link } = this.#observed.get(ifindex)!
    detach(attachments)
    this.#observed.delete(ifindex)
    this.#host.log.warn(`${link.name} was taken from us or made anew; it is observed again`)
  }

  #cover(covered: ReadonlySet<number>): void {
    for (const ifindex of this.#covered) {
      if (covered.has(ifindex)) continue
      this.#covered.delete(ifindex)
      if (!this.#observed.has(ifindex)) this.#watched.delete(keyOf(ifindex))
    }
    for (const ifindex of covered) {
      if (this.#covered.has(ifindex)) continue
      this.#covered.add(ifindex)
      this.#mark(ifindex, watchedLink.COVERED)
    }
  }

  #mark(ifindex: number, as: number): void {
    this.#watched.update(keyOf(ifindex), new Uint8Array(new BigUint64Array([BigInt(as)]).buffer))
  }

  /** What passed a link between its birth and our attachment. */
  #countUnobserved(link: Link): void {
    const packets = link.receivedPackets + link.transmittedPackets
    if (packets > 0) this.#host.count('unobserved_packets', packets)
  }

  #say(name: string, what: string): void {
    if (this.#said.get(name) === what) return
    this.#said.set(name, what)
    this.#host.log.warn(`${name} ${what}`)
  }
}

function detach(attachments: readonly Attachment[]): void {
  for (const attachment of attachments) attachment.close()
}

function keyOf(ifindex: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(ifindex).buffer)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
