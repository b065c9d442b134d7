/**
 * Trains of segments, packets that flows must refuse, and packets that were seen before.
 */
import {
  type Bytes,
  ethernet,
  extension,
  ipv4,
  ipv6,
  tagged,
  tcp,
  udp,
} from '../harness/packets.ts'
import { ACK, type Case, DESTINATION, ECE, four, HOP, six, TCP, UDP } from './flow_packets.ts'

const unreadable = { cause: 2, packets: 1 }

const long = four(ipv4({ protocol: TCP }, tcp({ flags: ACK | ECE, options: 12, payload: 2900 })))
export const trains: readonly Case[] = [
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

export const refused: readonly Case[] = [
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

export const sightings: readonly Case[] = [
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
