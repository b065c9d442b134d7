/**
 * Which links of this network namespace to observe, and as what.
 *
 * A packet should be seen where it enters or leaves an endpoint: at the pods' links and at the
 * lowest device under each default route. A device above a watched one (bond, VLAN, bridge) would
 * see the same packets again, so it is never watched, but it is `covered`: what comes in through it
 * was counted below.
 */
import type { Link } from '../native/index.ts'

/** `endpoint`: a pod or guest lives behind it. `network`: the world does. */
export type LinkRole = 'endpoint' | 'network' | 'loopback'

export interface WatchedLink {
  readonly link: Link
  readonly role: LinkRole
  readonly hasEthernet: boolean
}

export interface LinkChoice {
  readonly watched: ReadonlyMap<number, WatchedLink>
  /** ifindex of each device above watched ones that carries only packets which these saw. */
  readonly covered: ReadonlySet<number>
  /** Links that a pattern names but that are not watched: why, a sentence without the name. */
  readonly refused: ReadonlyMap<string, string>
}

export interface LinkFacts {
  readonly links: readonly Link[]
  /** ifindex of every link with a default route. */
  readonly defaultRoutes: readonly number[]
}

export interface LinkPatterns {
  /** `auto` or globs of names. */
  readonly interfaces: readonly string[]
  readonly exclude: readonly string[]
}

/** ARPHRD_*: what stands before the IP header at tc. */
const hardwareEthernet = new Set([1, 772])
const hardwareRaw = new Set([512, 519, 65534, 768, 769, 776, 778, 823])
const pairKinds = new Set(['veth', 'netkit'])
/** IFLA_LINK of these is the device below; of a pair it is the peer. */
const stackedKinds = new Set(['vlan', 'macvlan', 'macvtap', 'ipvlan', 'ipvtap', 'vxlan', 'macsec'])
/** They hand every packet of their members or of the device below on, and no others. */
const coveringKinds = new Set(['bridge', 'bond', 'team', 'vlan', 'macsec'])

/** Pure: the same facts give the same choice, in the order of `links`. */
export function chooseLinks(facts: LinkFacts, patterns: LinkPatterns): LinkChoice {
  const stack = new Stack(facts.links)
  const uplinks = new Set(facts.defaultRoutes.flatMap(ifindex => stack.lowest(ifindex)))
  const roleOf = (link: Link): LinkRole => {
    if (link.hardwareType === 772) return 'loopback'
    return isEndpoint(link) && !uplinks.has(link.ifindex) ? 'endpoint' : 'network'
  }
  const isAuto = (link: Link) =>
    link.hardwareType !== 772 && (uplinks.has(link.ifindex) || isEndpoint(link))
  const globs = patterns.interfaces.filter(pattern => pattern !== 'auto')
  const hasAuto = globs.length < patterns.interfaces.length
  const isWanted = (link: Link) =>
    !matches(link, patterns.exclude) && ((hasAuto && isAuto(link)) || matches(link, globs))
  const refused = new Map<string, string>()
  const wanted = facts.links.filter(isWanted)
  const wantedIndexes = new Set(wanted.map(link => link.ifindex))
  const watched = new Map<number, WatchedLink>()
  for (const link of wanted) {
    const below = stack.below(link).find(lower => wantedIndexes.has(lower.ifindex))
    const hasEthernet = hardwareEthernet.has(link.hardwareType)
    const peer = pairKinds.has(link.kind) && !link.lowerElsewhere && watched.get(link.lower)
    if (peer) refused.set(link.name, `it is the other end of ${peer.link.name}, which is watched`)
    else if (below)
      refused.set(link.name, `it carries the packets of ${below.name}, which is watched`)
    else if (!hasEthernet && !hardwareRaw.has(link.hardwareType)) {
      refused.set(link.name, `its link header (ARPHRD ${link.hardwareType}) is not known`)
    } else watched.set(link.ifindex, { link, role: roleOf(link), hasEthernet })
  }
  return { watched, covered: coveredBy(watched, facts.links, stack), refused }
}

function isEndpoint(link: Link): boolean {
  return link.tap || (pairKinds.has(link.kind) && link.lowerElsewhere)
}

/** Loopback only by its full name: a glob that happens to match it means other links. */
function matches(link: Link, globs: readonly string[]): boolean {
  if (link.hardwareType === 772) return globs.includes(link.name)
  return globs.some(glob => globToRegExp(glob).test(link.name))
}

function globToRegExp(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`)
}

/**
 * Devices above watched ones whose every way in is watched or covered, found from below upwards.
 */
function coveredBy(
  watched: ReadonlyMap<number, WatchedLink>,
  links: readonly Link[],
  stack: Stack,
): ReadonlySet<number> {
  const covered = new Set<number>()
  const isSeen = (ifindex: number) => watched.has(ifindex) || covered.has(ifindex)
  for (let grew = true; grew; ) {
    grew = false
    for (const link of links) {
      if (isSeen(link.ifindex) || !coveringKinds.has(link.kind)) continue
      const ways = stack.waysInto(link)
      if (ways.length === 0 || !ways.every(isSeen)) continue
      covered.add(link.ifindex)
      grew = true
    }
  }
  return covered
}

/** Who stands on whom. */
class Stack {
  readonly #byIndex: ReadonlyMap<number, Link>
  /** ifindex of the members by that of their bridge or bond. */
  readonly #members = new Map<number, number[]>()

  constructor(links: readonly Link[]) {
    this.#byIndex = new Map(links.map(link => [link.ifindex, link]))
    for (const { ifindex, master } of links) {
      const members = this.#members.get(master)
      if (members) members.push(ifindex)
      else if (master > 0) this.#members.set(master, [ifindex])
    }
  }

  /** ifindex of each device whose packets come in through this one. */
  waysInto(link: Link): readonly number[] {
    if (!stackedKinds.has(link.kind)) return this.#members.get(link.ifindex) ?? []
    return link.lower > 0 && !link.lowerElsewhere ? [link.lower] : []
  }

  /** Every device below this one, itself left out; safe against loops. */
  below(link: Link): Link[] {
    const found = new Set<Link>()
    const visit = (upper: Link): void => {
      for (const ifindex of this.waysInto(upper)) {
        const lower = this.#byIndex.get(ifindex)
        if (!lower || lower === link || found.has(lower)) continue
        found.add(lower)
        visit(lower)
      }
    }
    visit(link)
    return [...found]
  }

  /**
   * The lowest devices under this one, pods' links left out: a bridge's way into the world, not its
   * pods. A device whose lower one lies in another namespace is itself the lowest that can be seen
   * from here.
   */
  lowest(ifindex: number): number[] {
    const link = this.#byIndex.get(ifindex)
    if (!link) return []
    const below = this.below(link)
    if (below.length === 0) return [ifindex]
    return below
      .filter(lower => this.below(lower).length === 0 && !isEndpoint(lower))
      .map(lower => lower.ifindex)
  }
}
