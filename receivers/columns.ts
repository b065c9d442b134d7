/**
 * The column dictionary: one name per thing, from the C field to the dashboard.
 *
 * Every column that our receivers emit and our processors add, with kind, meaning, unit (UCUM) and
 * OpenTelemetry's attribute where there is one. A receiver takes its columns from here by name, so
 * that no two give one name different kinds; `fovea schema columns` prints it.
 */
import type { Kind } from '../core/index.ts'

export interface ColumnFacts<K extends Kind = Kind> {
  readonly kind: K
  readonly description: string
  readonly unit?: string
  readonly attribute?: string
}

type Maker<K extends Kind> = (
  description: string,
  more?: { readonly unit?: string; readonly attribute?: string },
) => ColumnFacts<K>

function maker<K extends Kind>(kind: K): Maker<K> {
  return (description, more = {}) => ({ kind, description, ...more })
}

const u8 = maker('u8')
const u16 = maker('u16')
const u32 = maker('u32')
const number = maker('number')
const address = maker('address')
const text = maker('text')
const bytes = maker('bytes')
const packet = { unit: '{packet}' }
const named = (attribute: string) => ({ attribute })

/** What happened since the last read: `flows`, `drops`, `tcp`, `dns`, `packets`. */
const shared = {
  time_us: number('Unix time of the last packet or event in the row', { unit: 'us' }),
  start_us: number('Unix time of the first packet of the flow, transaction or counter', {
    unit: 'us',
  }),
  source_address: address('Sender, of the innermost packet when tunnelled', {
    attribute: 'source.address',
  }),
  destination_address: address('Receiver, of the innermost packet when tunnelled', {
    attribute: 'destination.address',
  }),
  source_port: u16('0 where the protocol has none or fragment is 1', named('source.port')),
  destination_port: u16(
    '0 where the protocol has none or fragment is 1',
    named('destination.port'),
  ),
  protocol: u8('IANA number of the transport, after all extension headers', {
    attribute: 'network.transport',
  }),
  icmp_type: u8('Type of ICMP and ICMPv6'),
  icmp_code: u8('Code of ICMP and ICMPv6'),
  direction: u8('0 unknown, 1 into the endpoint behind interface, 2 out of it', {
    attribute: 'network.io.direction',
  }),
  interface: u32('ifindex of the observing link'),
  interface_name: text('Name of the observing link', named('network.interface.name')),
  packets: number('Packets on the wire: segments, not socket buffers', packet),
  bytes: number('Layer-3 bytes on the wire: IP header and payload of every segment', {
    unit: 'By',
  }),
  cgroup_id: number('Kernel identity of the local endpoint, 0 unknown'),
  netns_cookie: number('Cookie of the endpoint network namespace, 0 unknown'),
  duplicate: u8('1: these packets were counted at another link of this node already'),
} as const

const flows = {
  syn: u32('Packets with SYN and without ACK', packet),
  syn_ack: u32('Packets with SYN and ACK', packet),
  fin: u32('Packets with FIN', packet),
  rst: u32('Packets with RST', packet),
  urg: u32('Packets with URG', packet),
  ece: u32('Packets with ECE', packet),
  cwr: u32('Packets with CWR', packet),
  flow_starts: u32('Flows that began in this row; the sum counts flows', { unit: '{flow}' }),
  tcp_flags: u16(
    'Or of all flags so far: FIN 1 SYN 2 RST 4 PSH 8 ACK 16 URG 32 ECE 64 CWR 128 NS 256',
  ),
  flow_state: u8(
    '1 new, 2 active; last row: 3 closed by FIN, 4 reset, 5 idle; 6 no flow of its own',
  ),
  initiator: u8('0 unknown, 1 the source opened the connection, 2 the destination did'),
  is_reply: u8('1 where this direction answers the initiator'),
  rtt_us: u32('Smoothed round-trip time of the connection, 0 not measured', { unit: 'us' }),
  handshake_us: u32('SYN to first ACK as seen here; non-zero in exactly one row of a flow', {
    unit: 'us',
  }),
  retransmits: u32('Segments sent again', { unit: '{segment}' }),
  dscp: u8('Differentiated services of the last packet'),
  ecn: u8('Congestion bits of the last packet'),
  vlan: u16('Outermost 802.1Q id, 0 none', named('network.vlan.id')),
  tunnel: u8('0 none, 1 VXLAN, 2 Geneve, 3 GRE, 4 IP in IP'),
  tunnel_id: u32('VNI or key of the tunnel'),
  tunnel_source_address: address('Outer sender of a tunnelled packet'),
  tunnel_destination_address: address('Outer receiver of a tunnelled packet'),
  translated_address: address('The real backend behind a service address, zero when none'),
  translated_port: u16('Port of the real backend, 0 when none'),
  fragment: u8('1: fragments whose ports could not be known'),
  other_cause: text('Why packets have no flow of their own: table_full, unreadable'),
} as const

const drops = {
  drop_reason: text("The kernel's own name of the reason, without prefix"),
  drop_reason_code: u32('Number of the reason on this host'),
  drop_location: text('Kernel symbol that dropped the packet, empty when unknown'),
} as const

const tcp = {
  event: text(
    'connect, accept, connect_failed, established, retransmit, reset_sent, reset_received, close',
  ),
  latency_us: u32('TCP: SYN to established. DNS: query to answer. 0 when none', { unit: 'us' }),
  bytes_sent: number('Total of the connection, from its socket', { unit: 'By' }),
  bytes_received: number('Total of the connection, from its socket', { unit: 'By' }),
  process_id: u32('Process, where the kernel knows it', named('process.pid')),
  command: text('Command name of the process', named('process.executable.name')),
  error: text('errno name of a failed connect', named('error.type')),
} as const

const dns = {
  query_name: text('Lower case, without trailing dot, escaped as in RFC 1035', {
    attribute: 'dns.question.name',
  }),
  query_type: text('A, AAAA, SRV ... TYPE65'),
  response_code: text('NOERROR, NXDOMAIN ...; TIMEOUT when no answer came in time'),
  answers: text('Addresses and names, comma separated, bounded', named('dns.answers')),
  answer_count: u16('Answers as the header counts them'),
  answer_ttl_s: u32('Smallest TTL of the answers', { unit: 's' }),
} as const

/** Readings of one counter or gauge at one moment. */
const samples = {
  metric: text('Dotted name of the metric'),
  value: number('The reading'),
  cumulative: u8('1: monotonic since start_us, 0: a gauge'),
  unit: text('Unit of the reading (UCUM)'),
  state: text('State of what is counted'),
  statistic: text('Name of the statistic'),
  device: text('Hardware device'),
  port: text('Port of a hardware device'),
  endpoint_id: text('Endpoint of the host network service'),
  direction_name: text('receive or transmit', named('network.io.direction')),
} as const

const packets = {
  original_length: u32('Bytes on the wire', { unit: 'By' }),
  data: bytes('Captured bytes, from the link layer on'),
} as const

const endpoints = {
  netns: u32('Inode of the network namespace behind the link'),
  cgroup_path: text('cgroup of the endpoint', named('linux.cgroup.path')),
  address: address('Address of the endpoint'),
  up: u8('1: the link is there, 0: it went'),
} as const

type Ends = 'source' | 'destination'

/** What the kubernetes processor knows of one end. */
function kubernetes<E extends Ends>(end: E) {
  return {
    [`${end}_kind`]: text('pod, service, node, api_server, external, multicast, loopback, unknown'),
    [`${end}_namespace`]: text('Namespace', named('k8s.namespace.name')),
    [`${end}_pod`]: text('Pod', named('k8s.pod.name')),
    [`${end}_pod_uid`]: text('UID of the pod', named('k8s.pod.uid')),
    [`${end}_container`]: text('Container, where a port names it', named('k8s.container.name')),
    [`${end}_workload`]: text('Topmost built-in owner of the pod'),
    [`${end}_workload_kind`]: text('Kind of the workload'),
    [`${end}_service`]: text('Service, by address and port'),
    [`${end}_node`]: text('Node', named('k8s.node.name')),
    [`${end}_zone`]: text('Zone of the node', named('cloud.availability_zone')),
    [`${end}_region`]: text('Region of the node', named('cloud.region')),
    [`${end}_host`]: text('DNS name under which this external address was last resolved'),
  } as Readonly<
    Record<
      `${E}_${
        | 'kind'
        | 'namespace'
        | 'pod'
        | 'pod_uid'
        | 'container'
        | 'workload'
        | 'workload_kind'
        | 'service'
        | 'node'
        | 'zone'
        | 'region'
        | 'host'}`,
      ColumnFacts<'text'>
    >
  >
}

const series = {
  series: u32('Id in the series dictionary of the pipeline'),
} as const

export const columnDictionary = {
  ...shared,
  ...flows,
  ...drops,
  ...tcp,
  ...dns,
  ...samples,
  ...packets,
  ...endpoints,
  ...kubernetes('source'),
  ...kubernetes('destination'),
  ...series,
} as const

export type ColumnName = keyof typeof columnDictionary
type Picked<N extends ColumnName> = { readonly [K in N]: (typeof columnDictionary)[K]['kind'] }

/** The columns of these names, in this order, with their kinds: what `emits` wants. */
export function pickColumns<const N extends ColumnName>(names: readonly N[]): Picked<N> {
  const entries = names.map(name => [name, columnDictionary[name].kind])
  return Object.fromEntries(entries) as Picked<N>
}

/** Who talks to whom. */
export const tuple = pickColumns([
  'source_address',
  'destination_address',
  'source_port',
  'destination_port',
  'protocol',
])

/** How much, when, and where it was seen: what all tables that add up begin with. */
export const sighting = pickColumns([
  'time_us',
  'start_us',
  'direction',
  'interface',
  'interface_name',
  'packets',
  'bytes',
  'duplicate',
])
