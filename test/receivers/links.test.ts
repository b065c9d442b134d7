/**
 * Which links are observed, over link lists as they are on real nodes.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Link } from '../../native/index.ts'
import { chooseLinks } from '../../receivers/links.ts'

type Facts = Partial<Link> & { readonly name: string }

/** Links with ifindex 1, 2, 3... in this order. */
function links(...facts: readonly Facts[]): Link[] {
  return facts.map((fact, at) => ({
    ifindex: at + 1,
    kind: '',
    hardwareType: 1,
    up: true,
    master: 0,
    lower: 0,
    lowerElsewhere: false,
    tap: false,
    receivedPackets: 0,
    receivedBytes: 0,
    transmittedPackets: 0,
    transmittedBytes: 0,
    ...fact,
  }))
}

function choose(
  all: readonly Link[],
  routes: readonly string[],
  interfaces: readonly string[] = ['auto'],
  exclude: readonly string[] = [],
) {
  const indexOf = (name: string) => all.find(link => link.name === name)!.ifindex
  const facts = { links: all, defaultRoutes: routes.map(indexOf) }
  const { watched, covered, refused } = chooseLinks(facts, { interfaces, exclude })
  return {
    watched: Object.fromEntries([...watched.values()].map(({ link, role }) => [link.name, role])),
    covered: [...covered].map(ifindex => all[ifindex - 1]!.name),
    refused: Object.fromEntries(refused),
  }
}

const lo: Facts = { name: 'lo', hardwareType: 772 }
const pod = (name: string, more: Partial<Link> = {}): Facts => ({
  name,
  kind: 'veth',
  lower: 2,
  lowerElsewhere: true,
  ...more,
})

test('auto takes the pods and the device of the default route, nothing else', () => {
  const all = links(lo, { name: 'eth0' }, { name: 'eth1' }, pod('veth1'), pod('veth2'))
  assert.deepEqual(choose(all, ['eth0']), {
    watched: { eth0: 'network', veth1: 'endpoint', veth2: 'endpoint' },
    covered: [],
    refused: {},
  })
})

test('under a VLAN on a bond its members are the uplinks, and both above are covered', () => {
  const all = links(
    { name: 'eth0', master: 3 },
    { name: 'eth1', master: 3 },
    { name: 'bond0', kind: 'bond' },
    { name: 'bond0.7', kind: 'vlan', lower: 3 },
  )
  assert.deepEqual(choose(all, ['bond0.7']), {
    watched: { eth0: 'network', eth1: 'network' },
    covered: ['bond0', 'bond0.7'],
    refused: {},
  })
})

test('a bridge with uplink and pods in it: its ports are watched, the bridge is covered', () => {
  const all = links(
    { name: 'br0', kind: 'bridge' },
    { name: 'eth0', master: 1 },
    pod('veth1', { master: 1 }),
    { name: 'tap0', kind: 'tun', tap: true, master: 1 },
  )
  assert.deepEqual(choose(all, ['br0']), {
    watched: { eth0: 'network', veth1: 'endpoint', tap0: 'endpoint' },
    covered: ['br0'],
    refused: {},
  })
})

test('a bridge with a port that nobody watches is not covered', () => {
  const all = links(
    { name: 'br0', kind: 'bridge' },
    pod('veth1', { master: 1 }),
    { name: 'veth2', kind: 'veth', lower: 4, master: 1 },
    { name: 'veth3', kind: 'veth', lower: 3 },
  )
  assert.deepEqual(choose(all, []), { watched: { veth1: 'endpoint' }, covered: [], refused: {} })
})

test("a veth that carries the default route is this namespace's way into the world", () => {
  assert.deepEqual(choose(links(lo, pod('eth0'), pod('veth1')), ['eth0']).watched, {
    eth0: 'network',
    veth1: 'endpoint',
  })
})

test('globs choose by name, exclude wins, and lo must be named in full', () => {
  const all = links(lo, { name: 'eth0' }, { name: 'eth10' }, { name: 'wlan0' })
  assert.deepEqual(choose(all, [], ['*']).watched, {
    eth0: 'network',
    eth10: 'network',
    wlan0: 'network',
  })
  assert.deepEqual(choose(all, [], ['eth?', 'lo']).watched, { lo: 'loopback', eth0: 'network' })
  assert.deepEqual(choose(all, [], ['*'], ['eth*']).watched, { wlan0: 'network' })
  assert.deepEqual(choose(all, ['eth0'], ['auto', 'wlan0']).watched, {
    eth0: 'network',
    wlan0: 'network',
  })
})

test('a device above a watched one is refused and says over which', () => {
  const all = links({ name: 'eth0' }, { name: 'eth0.7', kind: 'vlan', lower: 1 })
  assert.deepEqual(choose(all, [], ['eth0*']), {
    watched: { eth0: 'network' },
    covered: ['eth0.7'],
    refused: { 'eth0.7': 'it carries the packets of eth0, which is watched' },
  })
  assert.deepEqual(choose(all, [], ['eth0.7']).watched, { 'eth0.7': 'network' })
})

test('a link whose header is not known is refused', () => {
  const all = links({ name: 'ib0', hardwareType: 32 }, { name: 'wg0', hardwareType: 65534 })
  assert.deepEqual(choose(all, ['ib0', 'wg0']), {
    watched: { wg0: 'network' },
    covered: [],
    refused: { ib0: 'its link header (ARPHRD 32) is not known' },
  })
})

test('devices that stand on each other in a circle end in no endless walk', () => {
  const all = links({ name: 'a', kind: 'vlan', lower: 2 }, { name: 'b', kind: 'vlan', lower: 1 })
  assert.deepEqual(choose(all, ['a']).watched, {})
})

test('of a pair with both ends here one is watched, or each packet would count twice', () => {
  const all = links(
    lo,
    { name: 'va', kind: 'veth', lower: 3 },
    { name: 'vb', kind: 'veth', lower: 2 },
    { name: 'vc', kind: 'veth', lower: 5 },
    { name: 'vd', kind: 'veth', lower: 4 },
  )
  assert.deepEqual(choose(all, [], ['v*'], ['vc']), {
    watched: { va: 'network', vd: 'network' },
    covered: [],
    refused: { vb: 'it is the other end of va, which is watched' },
  })
})
