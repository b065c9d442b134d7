/**
 * A packet that passes several links of a node counts once in totals and is seen at each link.
 *
 * One node with pods on a bridge, a pod on a routed link, and the world behind an uplink. Every
 * test sends a known number of datagrams and compares what each link's rows say of them.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { FlowReceiver, type FlowRow, sum, where } from '../harness/flow_receiver.ts'
import { enableForwarding, inPrivateNetwork, Pod, run } from '../harness/netns.ts'
import { send } from '../harness/traffic.ts'

const bridged = { a: '10.92.0.2', b: '10.92.0.3' }
const routed = '10.93.0.2'
const world = '10.94.0.2'
const PORT = 9

interface Sighting {
  readonly link: string
  readonly packets: number
  readonly duplicate: number
}

/** Packets per link and `duplicate`, in the order in which a packet passes the links. */
function sightings(rows: readonly FlowRow[], links: readonly string[]): Sighting[] {
  const mine = rows.filter(row => row.destination_port === PORT && row.protocol === 17)
  return links.flatMap(link => {
    const here = where(mine, { interface_name: link })
    const marks = [...new Set(here.map(row => row.duplicate))]
    return marks.map(duplicate => ({
      link,
      packets: sum(where(here, { duplicate }), 'packets'),
      duplicate,
    }))
  })
}

/** Packets that totals and pairs of endpoints count. */
function total(rows: readonly FlowRow[]): number {
  return sum(where(rows, { destination_port: PORT, protocol: 17, duplicate: 0 }), 'packets')
}

if (await inPrivateNetwork(import.meta.url)) {
  const pods: Record<string, Pod> = {}

  before(() => {
    run(`ip link add br0 type bridge
      ip addr add 10.92.0.1/24 dev br0
      ip link set br0 up`)
    enableForwarding()
    pods.a = new Pod('a', { address: bridged.a, bridge: 'br0' })
    pods.b = new Pod('b', { address: bridged.b, bridge: 'br0' })
    pods.c = new Pod('c', { address: routed })
    pods.w = new Pod('w', { address: world })
    run('ip route add default via 10.94.0.2 dev veth-w')
  })
  after(() => {
    for (const pod of Object.values(pods)) pod.close()
  })

  const cases = [
    {
      name: 'from pod to pod over a bridge',
      from: 'a',
      to: bridged.b,
      links: ['veth-a', 'veth-b'],
      marks: [0, 1],
    },
    {
      name: 'from pod to pod routed, into the bridge',
      from: 'c',
      to: bridged.b,
      links: ['veth-c', 'veth-b'],
      marks: [0, 1],
    },
    {
      name: 'from pod to pod routed, out of the bridge, which the kernel names as the way in',
      from: 'a',
      to: routed,
      links: ['veth-a', 'veth-c'],
      marks: [0, 1],
    },
    {
      name: 'from the node to a pod',
      from: null,
      to: bridged.b,
      links: ['veth-b'],
      marks: [0],
    },
    {
      name: 'from outside to a pod',
      from: 'w',
      to: bridged.a,
      links: ['veth-w', 'veth-a'],
      marks: [0, 1],
    },
    {
      name: 'from the node to outside',
      from: null,
      to: world,
      links: ['veth-w'],
      marks: [0],
    },
  ] as const

  for (const { name, from, to, links, marks } of cases) {
    test(`once in totals: ${name}`, async t => {
      const flows = await FlowReceiver.open(t)
      send(from === null ? null : pods[from]!, 'udp_send', to, PORT, 100, 100)
      const rows = await flows.end()
      assert.deepEqual(
        sightings(rows, links),
        links.map((link, at) => ({ link, packets: 100, duplicate: marks[at]! })),
      )
      assert.equal(total(rows), 100)
    })
  }

  test('once in totals: through a service address that is translated on the way', async t => {
    nft(t, 'type nat hook prerouting priority -100', `ip daddr 10.96.0.1 dnat to ${bridged.b}`)
    const flows = await FlowReceiver.open(t)
    send(pods.c!, 'udp_send', '10.96.0.1', PORT, 100, 100)
    const rows = await flows.end()
    assert.deepEqual(
      where(rows, { destination_port: PORT, protocol: 17, direction: 2 }).map(row => [
        row.interface_name,
        row.source_address,
        row.destination_address,
        row.duplicate,
      ]),
      [['veth-c', routed, '10.96.0.1', 0]],
    )
    assert.deepEqual(
      where(rows, { destination_port: PORT, protocol: 17, direction: 1 }).map(row => [
        row.interface_name,
        row.source_address,
        row.destination_address,
        row.duplicate,
      ]),
      [['veth-b', routed, bridged.b, 1]],
    )
    assert.equal(total(rows), 100)
  })

  test('once in totals: from a pod to outside, masqueraded', async t => {
    nft(t, 'type nat hook postrouting priority 100', 'oifname "veth-w" masquerade')
    const flows = await FlowReceiver.open(t)
    send(pods.c!, 'udp_send', world, PORT, 100, 100)
    const rows = await flows.end()
    assert.deepEqual(sightings(rows, ['veth-c', 'veth-w']), [
      { link: 'veth-c', packets: 100, duplicate: 0 },
      { link: 'veth-w', packets: 100, duplicate: 1 },
    ])
    const outside = where(rows, { interface_name: 'veth-w', destination_port: PORT })
    assert.equal(outside[0]!.source_address, '10.94.0.1')
    assert.equal(total(rows), 100)
  })

  test('a policy that drops ten of a hundred shows as 100, 90 and a total of 100', async t => {
    nft(
      t,
      'type filter hook forward priority 0',
      `ip daddr ${bridged.b} udp length 208 counter drop`,
    )
    const flows = await FlowReceiver.open(t)
    send(pods.c!, 'udp_send', bridged.b, PORT, 90, 100)
    send(pods.c!, 'udp_send', bridged.b, PORT, 10, 200)
    const rows = await flows.end()
    const dropped = Number(/packets (\d+) bytes/.exec(run('nft list ruleset'))![1])
    assert.equal(dropped, 10)
    assert.deepEqual(sightings(rows, ['veth-c', 'veth-b']), [
      { link: 'veth-c', packets: 100, duplicate: 0 },
      { link: 'veth-b', packets: 90, duplicate: 1 },
    ])
    assert.equal(total(rows), 100)
  })

  test('loopback counts once although each packet passes it twice', async t => {
    const flows = await FlowReceiver.open(t, { interfaces: ['lo'] })
    send(null, 'udp_send', '127.0.0.1', PORT, 100, 100)
    const rows = await flows.end()
    const mine = where(rows, { destination_port: PORT, protocol: 17 })
    assert.deepEqual(mine.map(row => [row.direction, row.duplicate, row.packets]).sort(), [
      [1, 1, 100],
      [2, 0, 100],
    ])
  })
}

/** A table of nft with one chain and one rule, for the time of a test. */
function nft(t: { after(action: () => void): void }, hook: string, rule: string): void {
  run(`nft add table ip fovea
    nft 'add chain ip fovea one { ${hook} ; }'
    nft 'add rule ip fovea one ${rule}'`)
  t.after(() => run('nft delete table ip fovea'))
}
