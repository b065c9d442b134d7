/** What rtnetlink told us against what iproute2 made of the same kernel. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Link } from '../../native/index.ts'
import { readDefaultRoutes, readLinks } from '../../native/links.ts'
import { type Agent, agentInNamespace, eventually, needsRoot } from './help.ts'

const skip = needsRoot

interface IpLink {
  readonly ifindex: number
  readonly ifname: string
  readonly flags: readonly string[]
  readonly master?: string
  readonly link?: string | null
  readonly link_index?: number
  readonly linkinfo?: {
    readonly info_kind?: string
    readonly info_data?: { readonly type?: string }
  }
  readonly stats64: Record<'rx' | 'tx', { readonly bytes: number; readonly packets: number }>
}

function linksOfIp(agent: Agent): IpLink[] {
  return JSON.parse(agent.run('ip', '-json', '-details', '-stats', 'link', 'show')) as IpLink[]
}

/** A namespace with one link of each kind that this kernel can make, and a veth into another. */
async function house(t: Parameters<typeof agentInNamespace>[0]): Promise<Agent> {
  const agent = await agentInNamespace(t)
  const other = await agentInNamespace(t)
  const ip = (words: string) => agent.run('ip', ...words.split(' '))
  ip('link add bridge0 type bridge')
  for (const port of ['port0', 'port1']) {
    ip(`link add ${port} type veth peer name far_${port}`)
    ip(`link set ${port} master bridge0`)
  }
  ip(`link add away type veth peer name home netns ${other.process.pid}`)
  ip('tuntap add dev tun0 mode tun')
  ip('tuntap add dev tap0 mode tap')
  ip('link add vxlan0 type vxlan id 7 dev port0 dstport 4789 local 127.0.0.1')
  for (const link of ['bridge0', 'port0', 'far_port0', 'away']) ip(`link set ${link} up`)
  other.run('ip', 'link', 'set', 'home', 'up')
  return agent
}

test('links equal what ip says of them', { skip }, async t => {
  const agent = await house(t)
  await agent.call('send', 11)
  const theirs = linksOfIp(agent)
  const ours = await agent.call('links')
  const later = linksOfIp(agent)
  const indexOf = (name?: string | null) => theirs.find(one => one.ifname === name)?.ifindex ?? 0
  assert.equal(theirs.length, ours.length)
  for (const [i, link] of theirs.entries()) {
    const one = ours.find(one => one.ifindex === link.ifindex)!
    const { ifname } = link
    assert.partialDeepStrictEqual(one, {
      name: ifname,
      kind: link.linkinfo?.info_kind ?? '',
      up: link.flags.includes('UP'),
      master: indexOf(link.master),
      lower: link.link_index ?? indexOf(link.link),
      lowerElsewhere: link.link_index !== undefined,
      tap: link.linkinfo?.info_data?.type === 'tap',
      hardwareType: ifname === 'lo' ? 772 : ifname === 'tun0' ? 65534 : 1,
    })
    assert.deepEqual(
      countersOf(later[i]!).map((most, k) => Math.min(most, countersOfOurs(one)[k]!)),
      countersOf(link).map((least, k) => Math.max(least, countersOfOurs(one)[k]!)),
      `the counters of ${ifname} lie between what ip read before and after`,
    )
  }
  const loopback = ours.find(link => link.name === 'lo')!
  assert.ok(loopback.receivedPackets >= 11 && loopback.transmittedBytes >= 11 * 128)
})

function countersOf({ stats64: { rx, tx } }: IpLink): number[] {
  return [rx.packets, rx.bytes, tx.packets, tx.bytes]
}

function countersOfOurs(link: Link): number[] {
  const { receivedPackets, receivedBytes, transmittedPackets, transmittedBytes } = link
  return [receivedPackets, receivedBytes, transmittedPackets, transmittedBytes]
}

test('every link that carries a default route is found, in both families and once', {
  skip,
}, async t => {
  const agent = await house(t)
  const ip = (words: string) => agent.run('ip', ...words.split(' '))
  assert.deepEqual(await agent.call('defaultRoutes'), [])
  const indexOf = new Map(linksOfIp(agent).map(link => [link.ifname, link.ifindex]))
  ip('address add 10.9.0.1/24 dev away')
  ip('route add 10.8.0.0/16 via 10.9.0.2')
  ip('route add default via 10.9.0.2 table 77')
  ip('route add unreachable default metric 4000')
  assert.deepEqual(
    await agent.call('defaultRoutes'),
    [],
    'neither other prefixes, tables nor types',
  )
  ip('route add default via 10.9.0.2')
  ip('-6 route add default dev away')
  assert.deepEqual(await agent.call('defaultRoutes'), [indexOf.get('away')])
  ip('address add 10.7.0.1/24 dev bridge0')
  ip('route add default metric 7 nexthop via 10.9.0.2 nexthop dev bridge0')
  const expected = [indexOf.get('away')!, indexOf.get('bridge0')!]
  assert.deepEqual((await agent.call('defaultRoutes')).sort(), expected.sort())
})

test('a watch calls back for new links, state, default routes and removal', { skip }, async t => {
  const agent = await agentInNamespace(t)
  await agent.call('watch')
  let before = await agent.call('changes')
  for (const words of [
    'link add new0 type veth peer name new1',
    'link set new0 up',
    'address add 10.9.0.1/24 dev new0',
    '-6 route add default dev lo',
    'link delete new0',
  ]) {
    agent.run('ip', ...words.split(' '))
    await eventually(`a call after ip ${words}`, async () => (await agent.call('changes')) > before)
    before = await agent.call('changes')
  }
})

test('five hundred links arrive whole', { skip }, async t => {
  const agent = await agentInNamespace(t)
  const before = (await agent.call('links')).length
  const batch = Array.from({ length: 250 }, (_, i) => `link add a${i} type veth peer name b${i}`)
  const folder = mkdtempSync(join(tmpdir(), 'fovea-links-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'batch'), batch.join('\n'))
  agent.run('ip', '-batch', join(folder, 'batch'))
  const names = (await agent.call('links')).map(link => link.name)
  assert.equal(names.length, before + 500)
  assert.equal(new Set(names).size, names.length)
})

test('cut or nonsensical answers give what is whole and never throw', () => {
  const noise = new Uint8Array(4096)
  let state = 5
  for (let round = 0; round < 2000; round++) {
    for (let i = 0; i < 128; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      noise[i] = (state >>> 24) & (i % 4 === 0 ? 63 : 3)
    }
    noise[4] = round % 2 === 0 ? 16 : 24
    const bytes = noise.subarray(0, state % 200)
    assert.ok(Array.isArray(readLinks(bytes)))
    assert.ok(Array.isArray(readDefaultRoutes(bytes)))
  }
})
