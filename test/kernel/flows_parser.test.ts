/**
 * Crafted packets through the flow programs by TEST_RUN, each beside the row it must become.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type BpfMap, type Field, openKernel } from '../../native/index.ts'
import { formatAddress } from '../../processors/address.ts'
import {
  flowCount,
  flowKey,
  frameCounter,
  otherCount,
  otherKey,
} from '../../receivers/flows/flows.generated.ts'
import { flowsFolder } from '../harness/flow_receiver.ts'
import { inPrivateNetwork } from '../harness/netns.ts'
import {
  authentication,
  type Bytes,
  ethernet,
  extension,
  fragment6,
  icmp,
  ipv4,
  ipv6,
  join,
  type SkbFacts,
  sctp,
  skbContext,
  tagged,
  tcp,
  udp,
} from '../harness/packets.ts'

type Row = Readonly<Record<string, number | string>>

interface Case {
  readonly name: string
  readonly packet: Bytes
  readonly skb?: SkbFacts
  readonly program?: string
  /** Cells of the one entry in flow_table, or of the one in other_table, or the word. */
  readonly flow?: Row
  readonly other?: Row
  readonly frame?: 'not ip'
}

const [TCP, UDP, ICMP, ICMPV6, SCTP, GRE] = [6, 17, 1, 58, 132, 47]
const [HOP, ROUTING, FRAGMENT, AH, DESTINATION] = [0, 43, 44, 51, 60]
const [FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, NS] = [1, 2, 4, 8, 16, 32, 64, 128, 256]
const four = (payload: Bytes) => ethernet(0x0800, payload)
const six = (payload: Bytes) => ethernet(0x86dd, payload)
const unreadable = { cause: 2, packets: 1 }

const transports: readonly Case[] = [
  {
    name: 'TCP with PSH and ACK: both flags, and the ports',
    packet: four(ipv4({ protocol: TCP }, tcp({ flags: PSH | ACK }))),
    flow: {
      source_address: '10.0.0.1',
      destination_address: '10.0.0.2',
      source_port: 1000,
      destination_port: 2000,
      protocol: TCP,
      tcp_flags: PSH | ACK,
      packets: 1,
      bytes: 50,
    },
  },
  {
    name: 'TCP with every flag there is',
    packet: four(
      ipv4({ protocol: TCP }, tcp({ flags: FIN | SYN | RST | PSH | ACK | URG | ECE | CWR | NS })),
    ),
    flow: { tcp_flags: 511, syn: 0, syn_ack: 1, fin: 1, rst: 1, urg: 1, ece: 1, cwr: 1 },
  },
  {
    name: 'a SYN opens: the source is the initiator',
    packet: four(ipv4({ protocol: TCP }, tcp({ flags: SYN, options: 20, payload: 0 }))),
    flow: { syn: 1, syn_ack: 0, initiator: 1, flow_starts: 1, bytes: 60 },
  },
  {
    name: 'a SYN with ACK answers: the destination is the initiator',
    packet: four(ipv4({ protocol: TCP }, tcp({ flags: SYN | ACK, payload: 0 }))),
    flow: { syn: 0, syn_ack: 1, initiator: 2, bytes: 40 },
  },
  {
    name: 'TCP in the middle of a connection: nobody knows who began',
    packet: four(ipv4({ protocol: TCP }, tcp({ flags: ACK }))),
    flow: { initiator: 0, flow_starts: 1 },
  },
  {
    name: 'UDP',
    packet: four(ipv4({ protocol: UDP }, udp(53, 5353, 20))),
    flow: { source_port: 53, destination_port: 5353, protocol: UDP, bytes: 48, initiator: 1 },
  },
  {
    name: 'UDP in a frame padded to 60 bytes counts no padding',
    packet: join(four(ipv4({ protocol: UDP }, udp(1, 2, 1))), new Array(17).fill(0)),
    flow: { bytes: 29 },
  },
  {
    name: 'SCTP has ports',
    packet: four(ipv4({ protocol: SCTP }, sctp(7, 8, 20))),
    flow: { source_port: 7, destination_port: 8, protocol: SCTP, bytes: 52 },
  },
  {
    name: 'ICMP has a type and a code',
    packet: four(ipv4({ protocol: ICMP }, icmp(3, 13))),
    flow: { icmp_type: 3, icmp_code: 13, source_port: 0, destination_port: 0, initiator: 0 },
  },
  {
    name: 'an echo request opens',
    packet: four(ipv4({ protocol: ICMP }, icmp(8, 0))),
    flow: { icmp_type: 8, initiator: 1 },
  },
  {
    name: 'an ICMPv6 echo reply answers',
    packet: six(ipv6({ next: ICMPV6 }, icmp(129, 0))),
    flow: { icmp_type: 129, protocol: ICMPV6, initiator: 2, bytes: 56 },
  },
  {
    name: 'a protocol without ports',
    packet: four(ipv4({ protocol: GRE }, new Uint8Array(20))),
    flow: { protocol: GRE, source_port: 0, destination_port: 0, bytes: 40 },
  },
]

const headers: readonly Case[] = [
  {
    name: 'IPv4 options are no ports',
    packet: four(ipv4({ protocol: UDP, options: [1, 1, 1, 1, 1, 1, 1, 0] }, udp(5, 6, 10))),
    flow: { source_port: 5, destination_port: 6, bytes: 46 },
  },
  {
    name: 'forty bytes of IPv4 options and forty of TCP options',
    packet: four(
      ipv4(
        { protocol: TCP, options: new Array(40).fill(1) },
        tcp({ flags: ACK, options: 40, payload: 3 }),
      ),
    ),
    flow: { source_port: 1000, destination_port: 2000, bytes: 60 + 60 + 3 },
  },
  {
    name: 'the first fragment has ports',
    packet: four(ipv4({ protocol: UDP, fragment: 0x2000 }, udp(5, 6, 16))),
    flow: { source_port: 5, destination_port: 6, fragment: 0 },
  },
  {
    name: 'a later fragment has none, and says so',
    packet: four(ipv4({ protocol: UDP, fragment: 0x2003 }, udp(5, 6, 16))),
    flow: { source_port: 0, destination_port: 0, fragment: 1, protocol: UDP, initiator: 0 },
  },
  {
    name: 'IPv6',
    packet: six(ipv6({ next: TCP }, tcp({ flags: ACK }))),
    flow: {
      source_address: 'fd90::1',
      destination_address: 'fd90::2',
      source_port: 1000,
      bytes: 70,
    },
  },
  {
    name: 'IPv6 behind hop-by-hop, routing and destination options',
    packet: six(
      ipv6(
        { next: HOP },
        extension(ROUTING, 8, extension(DESTINATION, 24, extension(TCP, 16, tcp({ flags: ACK })))),
      ),
    ),
    flow: { protocol: TCP, source_port: 1000, destination_port: 2000, bytes: 40 + 48 + 30 },
  },
  {
    name: 'IPv6 behind an authentication header of 24 bytes',
    packet: six(ipv6({ next: AH }, authentication(UDP, 24, udp(5, 6, 10)))),
    flow: { protocol: UDP, source_port: 5, bytes: 40 + 24 + 18 },
  },
  {
    name: 'the first fragment of IPv6 has ports',
    packet: six(ipv6({ next: FRAGMENT }, fragment6(UDP, 0, udp(5, 6, 10)))),
    flow: { protocol: UDP, source_port: 5, fragment: 0 },
  },
  {
    name: 'a later fragment of IPv6 has none',
    packet: six(ipv6({ next: FRAGMENT }, fragment6(UDP, 9, udp(5, 6, 10)))),
    flow: { protocol: UDP, source_port: 0, fragment: 1 },
  },
  {
    name: 'a tag in the payload',
    packet: tagged(four(ipv4({ protocol: UDP }, udp(5, 6, 10))), 100),
    flow: { source_port: 5, bytes: 38 },
  },
  {
    name: 'two tags in the payload',
    packet: tagged(tagged(four(ipv4({ protocol: UDP }, udp(5, 6, 10))), 100), 7, 0x88a8),
    flow: { source_port: 5, bytes: 38 },
  },
  {
    name: 'IPv4 on a link without Ethernet header',
    packet: ipv4({ protocol: UDP }, udp(5, 6, 10)),
    program: 'flows_from_network_l3',
    flow: { source_port: 5, bytes: 38 },
  },
  {
    name: 'IPv6 on a link without Ethernet header',
    packet: ipv6({ next: UDP }, udp(5, 6, 10)),
    program: 'flows_to_network_l3',
    flow: { source_port: 5, bytes: 58, direction: 2 },
  },
]

const long = four(ipv4({ protocol: TCP }, tcp({ flags: ACK | ECE, options: 12, payload: 2900 })))
const trains: readonly Case[] = [
  {
    name: 'a train of segments: each has the headers, every one repeats ECE',
    packet: long,
    skb: { gsoSegments: 3, gsoSize: 1448 },
    flow: { packets: 3, bytes: 2900 + 3 * 52, ece: 3 },
  },
  {
    name: 'a train whose maker did not count its segments',
    packet: long,
    skb: { gsoSize: 1000 },
    flow: { packets: 3, bytes: 2900 + 3 * 52 },
  },
  {
    name: 'BIG TCP over IPv4 has no total length',
    packet: four(ipv4({ protocol: TCP, length: 0 }, tcp({ flags: ACK, payload: 2000 }))),
    skb: { gsoSegments: 2, gsoSize: 1000 },
    flow: { packets: 2, bytes: 2000 + 2 * 40 },
  },
  {
    name: 'BIG TCP over IPv6: the hop-by-hop header never reaches the wire',
    packet: six(
      ipv6({ next: HOP, length: 0 }, extension(TCP, 8, tcp({ flags: ACK, payload: 2000 }))),
    ),
    skb: { gsoSegments: 2, gsoSize: 1000 },
    flow: { packets: 2, bytes: 2000 + 2 * 60 },
  },
  {
    name: 'a train of datagrams',
    packet: four(ipv4({ protocol: UDP }, udp(5, 6, 3000))),
    skb: { gsoSegments: 3, gsoSize: 1000 },
    flow: { packets: 3, bytes: 3000 + 3 * 28 },
  },
]

const refused: readonly Case[] = [
  {
    name: 'ARP is no IP',
    packet: ethernet(0x0806, new Uint8Array(28)),
    frame: 'not ip',
  },
  {
    name: 'three tags are one too many',
    packet: tagged(tagged(tagged(four(ipv4({ protocol: UDP }, udp(5, 6, 10))), 1), 2), 3),
    frame: 'not ip',
  },
  {
    name: 'a header that ends within TCP',
    packet: four(ipv4({ protocol: TCP }, tcp({ flags: ACK, payload: 0 }))).subarray(
      0,
      14 + 20 + 13,
    ),
    other: { ...unreadable, protocol: TCP, bytes: 33 },
  },
  {
    name: 'a header that ends within UDP',
    packet: four(ipv4({ protocol: UDP }, udp(5, 6, 0))).subarray(0, 14 + 20 + 4),
    other: { ...unreadable, protocol: UDP, bytes: 24 },
  },
  {
    name: 'a total length beyond the frame',
    packet: four(ipv4({ protocol: UDP, length: 500 }, udp(5, 6, 10))),
    other: { ...unreadable, protocol: UDP, bytes: 38 },
  },
  {
    name: 'a total length that ends within the transport header',
    packet: four(ipv4({ protocol: TCP, length: 30 }, tcp({ flags: ACK }))),
    other: { ...unreadable, protocol: TCP, bytes: 50 },
  },
  {
    name: 'an IPv4 header shorter than the shortest',
    packet: four(ipv4({ protocol: UDP, words: 4 }, udp(5, 6, 10))),
    other: { ...unreadable, protocol: 0, bytes: 38 },
  },
  {
    name: 'IPv4 that says it is version 5',
    packet: four(ipv4({ protocol: UDP, version: 5 }, udp(5, 6, 10))),
    other: { ...unreadable, bytes: 38 },
  },
  {
    name: 'a TCP header shorter than the shortest',
    packet: four(ipv4({ protocol: TCP }, tcp({ flags: ACK, words: 4 }))),
    other: { ...unreadable, protocol: TCP, bytes: 50 },
  },
  {
    name: 'a TCP header longer than the packet',
    packet: four(ipv4({ protocol: TCP }, tcp({ flags: ACK, words: 15 }))),
    other: { ...unreadable, protocol: TCP, bytes: 50 },
  },
  {
    name: 'an endless chain of extension headers',
    packet: six(ipv6({ next: HOP }, chain(9, udp(5, 6, 10)))),
    other: { ...unreadable, bytes: 40 + 9 * 8 + 18 },
  },
]

const sightings: readonly Case[] = [
  {
    name: 'out to a pod, from nowhere: the first sighting',
    packet: four(ipv4({ protocol: UDP }, udp(5, 6, 10))),
    program: 'flows_to_endpoint',
    flow: { duplicate: 0, direction: 1 },
  },
  {
    name: 'out to a pod, from a watched link: the second sighting',
    packet: four(ipv4({ protocol: UDP }, udp(5, 6, 10))),
    program: 'flows_to_endpoint',
    skb: { ingressIfindex: 77 },
    flow: { duplicate: 1, direction: 1 },
  },
  {
    name: 'out to a pod, from a link that nobody watches: the first sighting',
    packet: four(ipv4({ protocol: UDP }, udp(5, 6, 10))),
    program: 'flows_to_endpoint',
    skb: { ingressIfindex: 78 },
    flow: { duplicate: 0 },
  },
  {
    name: 'in at loopback: always the second sighting',
    packet: four(ipv4({ protocol: UDP }, udp(5, 6, 10))),
    program: 'flows_from_loopback',
    flow: { duplicate: 1, direction: 1 },
  },
]

/** `count` destination options, each the next of the one before. */
function chain(count: number, payload: Bytes): Bytes {
  let packet = extension(UDP, 8, payload)
  for (let left = count - 1; left > 0; left--) packet = extension(DESTINATION, 8, packet)
  return packet
}

function decode(
  fields: Readonly<Record<string, Field>>,
  bytes: Bytes,
  into: Record<string, number | string>,
) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (const [name, { offset, type, length }] of Object.entries(fields)) {
    if (name === 'pad') continue
    if (length === 16) into[name] = formatAddress(bytes, offset)
    else if (type === 'u8') into[name] = view.getUint8(offset)
    else if (type === 'u16') into[name] = view.getUint16(offset, true)
    else if (type === 'u32') into[name] = view.getUint32(offset, true)
    else into[name] = Number(view.getBigUint64(offset, true))
  }
}

interface Layouts {
  readonly key: { readonly size: number; readonly fields: Readonly<Record<string, Field>> }
  readonly value: { readonly size: number; readonly fields: Readonly<Record<string, Field>> }
}

/** All entries of a map, which is empty afterwards. */
function takeAll(map: BpfMap, { key, value }: Layouts): Row[] {
  const [keys, values] = [new Uint8Array(64 * key.size), new Uint8Array(64 * value.size)]
  const count = map.readBatch({ done: false, position: null }, keys, values)
  return Array.from({ length: count }, (_, at) => {
    const row: Record<string, number | string> = {}
    const own = keys.subarray(at * key.size, (at + 1) * key.size)
    decode(key.fields, own, row)
    decode(value.fields, values.subarray(at * value.size, (at + 1) * value.size), row)
    map.delete(own)
    return row
  })
}

if (await inPrivateNetwork(import.meta.url)) {
  const kernel = openKernel({ id: 'flows', asset: name => `${flowsFolder}/${name}` })
  after(() => kernel.close())
  const object = kernel.openObject('flows.bpf.o', { settings: { has_coarse_clock: 1 } })
  const flowTable = object.map('flow_table')
  const otherTable = object.map('other_table')
  const frames = object.map('frame_counters')
  object
    .map('watched_links')
    .update(new Uint8Array(Uint32Array.of(77).buffer), new Uint8Array(BigUint64Array.of(1n).buffer))

  const send = (packet: Bytes, program = 'flows_from_network', skb: SkbFacts = {}) => {
    const input = { data: packet, context: skbContext(skb) }
    assert.equal(object.testRun(program, input).returnValue | 0, -1, 'never decides')
  }
  const flowsNow = () => takeAll(flowTable, { key: flowKey, value: flowCount })
  const othersNow = () => takeAll(otherTable, { key: otherKey, value: otherCount })
  const framesNotIp = () => {
    const value = new Uint8Array(frames.valueSize)
    frames.lookup(new Uint8Array(Uint32Array.of(frameCounter.FRAMES_NOT_IP).buffer), value)
    const words = new BigUint64Array(value.buffer)
    return words.filter((_, at) => at % 2 === 0).reduce((a, b) => a + Number(b), 0)
  }

  for (const one of [...transports, ...headers, ...trains, ...refused, ...sightings]) {
    test(one.name, () => {
      const before = framesNotIp()
      send(one.packet, one.program, one.skb)
      const found = { flows: flowsNow(), others: othersNow(), frames: framesNotIp() - before }
      const [wanted, rows] = one.flow ? [one.flow, found.flows] : [one.other ?? {}, found.others]
      const shown = rows.map(row =>
        Object.fromEntries(Object.keys(wanted).map(name => [name, row[name]])),
      )
      assert.deepEqual(
        { shown, flows: found.flows.length, others: found.others.length, frames: found.frames },
        {
          shown: one.frame ? [] : [wanted],
          flows: one.flow ? 1 : 0,
          others: one.other ? 1 : 0,
          frames: one.frame ? 1 : 0,
        },
      )
    })
  }

  test('a handshake is timed from the first SYN to the first ACK', () => {
    const there = (flags: number) => send(four(ipv4({ protocol: TCP }, tcp({ flags, payload: 0 }))))
    there(SYN)
    const first = process.hrtime.bigint()
    there(SYN)
    while (process.hrtime.bigint() - first < 3_000_000n);
    there(ACK)
    const shortest = Number(process.hrtime.bigint() - first) / 1000
    there(ACK | PSH)
    const [row] = flowsNow()
    assert.equal(row!.syn, 2)
    assert.ok(Number(row!.handshake_us) >= 3000, `${row!.handshake_us} us`)
    assert.ok(Number(row!.handshake_us) <= shortest + 100_000)
    assert.equal(row!.awaits_ack, 0)
  })

  test('a SYN after FIN is a new flow in the same entry, its counters go on', () => {
    const there = (flags: number) => send(four(ipv4({ protocol: TCP }, tcp({ flags, payload: 0 }))))
    for (const flags of [SYN, ACK, FIN | ACK, SYN]) there(flags)
    const [row] = flowsNow()
    assert.deepEqual(
      [row!.packets, row!.flow_starts, row!.syn, row!.fin, row!.tcp_flags, row!.handshake_us],
      [4, 2, 2, 1, SYN, 0],
    )
    assert.ok(Number(row!.first_ns) > 0 && Number(row!.syn_ns) >= Number(row!.first_ns))
  })

  test('the answer to a datagram is a reply, whichever of the two was forwarded', () => {
    const [a, b] = [
      [10, 0, 0, 1],
      [10, 0, 0, 2],
    ]
    const packet = (source: number[], destination: number[], from: number, to: number) =>
      four(ipv4({ protocol: UDP, source, destination }, udp(from, to, 10)))
    send(packet(a, b, 5, 6), 'flows_to_endpoint', { ingressIfindex: 77 })
    send(packet(b, a, 6, 5), 'flows_from_endpoint')
    send(packet(b, a, 16, 15), 'flows_from_endpoint')
    send(packet(a, b, 15, 16), 'flows_to_endpoint', { ingressIfindex: 77 })
    const initiators = flowsNow().map(row => [row.source_port, row.initiator])
    assert.deepEqual(
      initiators.sort((x, y) => Number(x[0]) - Number(y[0])),
      [
        [5, 1],
        [6, 2],
        [15, 2],
        [16, 1],
      ],
    )
  })
}
