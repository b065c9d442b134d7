/**
 * What flows counts of real traffic, against the sender's own protocol counters and the links'
 * statistics.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { FlowReceiver, type FlowRow, sum, where } from '../harness/flow_receiver.ts'
import { inPrivateNetwork, linkCounters, Pod, run } from '../harness/netns.ts'
import { send, serve } from '../harness/traffic.ts'

const [tcp, udp, icmp, icmp6] = [6, 17, 1, 58]
const [intoEndpoint, outOfEndpoint] = [1, 2]

/** One pod, no other link: all that happens is what the test sends. */
function withPod(): { readonly pod: Pod } {
  const held = {} as { pod: Pod }
  before(() => {
    held.pod = new Pod('a', { address: '10.90.0.2', address6: 'fd90::2' })
  })
  after(() => held.pod.close())
  return held
}

if (await inPrivateNetwork(import.meta.url)) {
  const held = withPod()

  test('10,000 datagrams are 10,000 packets with the bytes of each', async t => {
    const { pod } = held
    const flows = await FlowReceiver.open(t)
    const sent = pod.counter('Udp.OutDatagrams')
    send(pod, 'udp_send', '10.90.0.1', 9, 10_000, 100)
    const rows = where(await flows.end(), { protocol: udp, destination_port: 9 })
    assert.equal(pod.counter('Udp.OutDatagrams') - sent, 10_000)
    assert.equal(sum(rows, 'packets'), 10_000)
    assert.equal(sum(rows, 'bytes'), 10_000 * (20 + 8 + 100))
    assert.equal(sum(rows, 'flow_starts'), 1)
    assert.deepEqual(facts(rows), {
      source_address: ['10.90.0.2'],
      destination_address: ['10.90.0.1'],
      direction: [outOfEndpoint],
      interface_name: ['veth-a'],
      duplicate: [0],
      initiator: [1],
      is_reply: [0],
    })
  })

  test('datagrams over IPv6 count their 40 bytes of header, answers are replies', async t => {
    const { pod } = held
    const server = await serve(t, pod, 'udp_serve', 7001, 'echo')
    const flows = await FlowReceiver.open(t)
    send(null, 'udp_send', 'fd90::2', 7001, 100, 64)
    await flows.readUntil(
      '100 answers',
      () => sum(where(flows.rows, { source_port: 7001 }), 'packets') === 100,
    )
    server.kill()
    const rows = await flows.end()
    const there = where(rows, { destination_port: 7001 })
    const back = where(rows, { source_port: 7001 })
    for (const way of [there, back]) {
      assert.equal(sum(way, 'packets'), 100)
      assert.equal(sum(way, 'bytes'), 100 * (40 + 8 + 64))
    }
    assert.deepEqual(
      [there, back].map(way => [way[0]!.source_address, way[0]!.direction, way[0]!.is_reply]),
      [
        ['fd90::1', intoEndpoint, 0],
        ['fd90::2', outOfEndpoint, 1],
      ],
    )
  })

  test('bulk TCP with offload counts the segments of the sender, not its buffers', async t => {
    const { pod } = held
    const payload = 64 << 20
    const flows = await FlowReceiver.open(t)
    const counters = ['Tcp.OutSegs', 'Tcp.RetransSegs']
    const before = counters.map(name => pod.counter(name))
    const buffers = linkCounters('veth-a').received.packets
    const server = await serve(t, null, 'tcp_serve', 7003)
    send(pod, 'tcp_send', '10.90.0.1', 7003, payload)
    server.kill()
    const [segments, again] = counters.map((name, at) => pod.counter(name) - before[at]!)
    const rows = where(await flows.end(), { protocol: tcp, destination_port: 7003 })
    assert.equal(sum(rows, 'packets'), segments! + again!)
    // 20 of IP, 20 of TCP and 12 of timestamps each; the SYN carries 8 more of options.
    const headers = 52 * (segments! + again!) + 8
    const rest = sum(rows, 'bytes') - headers - payload
    assert.ok(rest >= 0 && rest <= again! * 1448, `${rest} bytes over with ${again} sent again`)
    const trains = linkCounters('veth-a').received.packets - buffers
    assert.ok(trains < segments! / 4, `${trains} buffers for ${segments} segments`)
  })

  test('BIG TCP over IPv6: trains above 64 KiB count as the segments of the wire', async t => {
    const { pod } = held
    run(`ip link set dev veth-a gso_max_size 180000 gro_max_size 180000
      ip -n ${pod.name} link set dev eth0 gso_max_size 180000 gro_max_size 180000`)
    const payload = 64 << 20
    const flows = await FlowReceiver.open(t)
    const counters = ['Tcp.OutSegs', 'Tcp.RetransSegs']
    const before = counters.map(name => pod.counter(name))
    const buffers = linkCounters('veth-a').received.packets
    const server = await serve(t, null, 'tcp_serve', 7006)
    send(pod, 'tcp_send', 'fd90::1', 7006, payload)
    server.kill()
    const [segments, again] = counters.map((name, at) => pod.counter(name) - before[at]!)
    const rows = where(await flows.end(), { protocol: tcp, destination_port: 7006 })
    assert.equal(sum(rows, 'packets'), segments! + again!)
    const rest = sum(rows, 'bytes') - 72 * (segments! + again!) - 8 - payload
    assert.ok(rest >= 0 && rest <= again! * 1428, `${rest} bytes over with ${again} sent again`)
    const trains = linkCounters('veth-a').received.packets - buffers
    assert.ok(trains < payload / 65_536, `${trains} trains: none was longer than 64 KiB`)
  })

  test('bulk TCP without offload equals the counters of the link, to the byte', async t => {
    const pod = new Pod('quiet', { address: '10.91.0.2', isQuiet: true })
    t.after(() => pod.close())
    run(`ip link set dev ${pod.link} gso_max_segs 1
      ip -n ${pod.name} link set dev eth0 gso_max_segs 1`)
    const flows = await FlowReceiver.open(t, { interfaces: [pod.link] })
    const before = linkCounters(pod.link)
    const server = await serve(t, null, 'tcp_serve', 7004)
    send(pod, 'tcp_send', '10.91.0.1', 7004, 8 << 20)
    server.kill()
    const after = linkCounters(pod.link)
    const rows = await flows.end()
    const { not_ip_packets = 0, not_ip_bytes = 0 } = flows.host.counts
    const packets = (at: typeof before) => at.received.packets + at.transmitted.packets
    const bytes = (at: typeof before) => at.received.bytes + at.transmitted.bytes
    assert.deepEqual(
      {
        packets: sum(rows, 'packets') + not_ip_packets,
        bytes: sum(rows, 'bytes') + 14 * sum(rows, 'packets') + not_ip_bytes,
      },
      { packets: packets(after) - packets(before), bytes: bytes(after) - bytes(before) },
    )
    assert.ok(sum(where(rows, { destination_port: 7004 }), 'packets') > 5000)
  })

  test('5,000 short connections are 5,000 flows, each with its flags and handshake', async t => {
    const { pod } = held
    const server = await serve(t, pod, 'tcp_serve', 7005)
    const flows = await FlowReceiver.open(t, { ended_timeout: 300 })
    send(null, 'tcp_connections', '10.90.0.2', 7005, 5000)
    await flows.readUntil('a last row of every flow', () => {
      const last = where(flows.rows, { protocol: tcp, flow_state: 3 })
      return last.length >= 10_000
    })
    server.kill()
    const rows = await flows.end()
    const there = where(rows, { destination_port: 7005 })
    const back = where(rows, { source_port: 7005 })
    const expected = { flow_starts: 5000, syn: 5000, syn_ack: 0, fin: 5000, rst: 0 }
    assert.deepEqual(sums(there, expected), expected)
    assert.deepEqual(sums(back, expected), { ...expected, flow_starts: 0, syn: 0, syn_ack: 5000 })
    assert.equal(there.filter(row => row.handshake_us > 0).length, 5000)
    assert.equal(back.filter(row => row.handshake_us > 0).length, 0)
    assert.ok(there.every(row => row.initiator === 1 && row.is_reply === 0))
    assert.ok(back.every(row => row.initiator === 2 && row.is_reply === 1))
    const byPort = new Set(where(there, { flow_state: 3 }).map(row => row.source_port))
    assert.equal(byPort.size, 5000)
    const open = where(there, { flow_state: 3 }).filter(row => (row.tcp_flags & 19) !== 19)
    assert.deepEqual(open, [])
  })

  test('a refused connection is over in both directions, not only in that of the RST', async t => {
    const { pod } = held
    const flows = await FlowReceiver.open(t, { ended_timeout: 100 })
    pod.run(`python3 -c '
import socket
for port in range(7101, 7151):
    assert socket.socket().connect_ex(("10.90.0.1", port)) == 111'`)
    const ended = () => where(flows.rows, { protocol: tcp, flow_state: 4 })
    await flows.readUntil('a last row of every direction', () => ended().length === 100)
    const there = where(await flows.end(), { protocol: tcp, direction: outOfEndpoint })
    assert.deepEqual([sum(there, 'packets'), sum(there, 'flow_starts')], [50, 50])
    assert.ok(there.every(row => row.tcp_flags === 2))
  })

  test('echo requests and replies are rows of their own by type, IPv4 and IPv6', async t => {
    const { pod } = held
    const flows = await FlowReceiver.open(t)
    run(`python3 -c '${ping('AF_INET', 'IPPROTO_ICMP', '10.90.0.2', 8)}'
      python3 -c '${ping('AF_INET6', 'IPPROTO_ICMPV6', 'fd90::2', 128)}'`)
    const rows = await flows.end()
    const ways = [
      { protocol: icmp, icmp_type: 8, destination_address: pod.address },
      { protocol: icmp, icmp_type: 0, source_address: pod.address },
      { protocol: icmp6, icmp_type: 128, destination_address: 'fd90::2' },
      { protocol: icmp6, icmp_type: 129, source_address: 'fd90::2' },
    ]
    assert.deepEqual(
      ways.map(way => {
        const found = where(rows, way)
        return [sum(found, 'packets'), sum(found, 'bytes'), found[0]!.is_reply]
      }),
      [
        [50, 50 * (20 + 8 + 56), 0],
        [50, 50 * (20 + 8 + 56), 1],
        [50, 50 * (40 + 8 + 56), 0],
        [50, 50 * (40 + 8 + 56), 1],
      ],
    )
  })
}

/** Python: 50 echo requests of 56 bytes, each after the answer to the one before. */
function ping(family: string, protocol: string, host: string, type: number): string {
  return `
import socket, struct
s = socket.socket(socket.${family}, socket.SOCK_RAW, socket.${protocol}); s.settimeout(5)
def checksum(b):
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b)); n = (n >> 16) + (n & 65535); n += n >> 16
    return ~n & 65535
for i in range(50):
    body = struct.pack("!HH", 7, i) + b"x" * 56
    sum_ = checksum(struct.pack("!BBH", ${type}, 0, 0) + body)
    s.sendto(struct.pack("!BBH", ${type}, 0, sum_) + body, ("${host}", 0))
    while ${type} + (1 if ${type} == 128 else -8) != s.recv(2048)[${type === 8 ? 20 : 0}]: pass
`
}

function facts(rows: readonly FlowRow[]): Record<string, unknown[]> {
  const names = [
    'source_address',
    'destination_address',
    'direction',
    'interface_name',
    'duplicate',
    'initiator',
    'is_reply',
  ] as const
  return Object.fromEntries(names.map(name => [name, [...new Set(rows.map(row => row[name]))]]))
}

function sums<K extends 'flow_starts' | 'syn' | 'syn_ack' | 'fin' | 'rst'>(
  rows: readonly FlowRow[],
  names: Record<K, number>,
): Record<K, number> {
  const keys = Object.keys(names) as K[]
  return Object.fromEntries(keys.map(name => [name, sum(rows, name)])) as Record<K, number>
}
