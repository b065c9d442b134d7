/**
 * Packets that flows must read: each beside the cells of the row it must become.
 */
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
  tagged,
  tcp,
  udp,
} from '../harness/packets.ts'

export type Row = Readonly<Record<string, number | string>>

export interface Case {
  readonly name: string
  readonly packet: Bytes
  readonly skb?: SkbFacts
  readonly program?: string
  /** Cells of the one entry in flow_table, or of the one in other_table, or the word. */
  readonly flow?: Row
  readonly other?: Row
  readonly frame?: 'not ip'
}

export const [TCP, UDP, ICMP, ICMPV6, SCTP, GRE] = [6, 17, 1, 58, 132, 47]
export const [HOP, ROUTING, FRAGMENT, AH, DESTINATION] = [0, 43, 44, 51, 60]
export const [FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, NS] = [1, 2, 4, 8, 16, 32, 64, 128, 256]
export const four = (payload: Bytes) => ethernet(0x0800, payload)
export const six = (payload: Bytes) => ethernet(0x86dd, payload)

export const transports: readonly Case[] = [
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

export const headers: readonly Case[] = [
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
