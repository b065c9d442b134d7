/**
 * Which OpenTelemetry attribute each column becomes in a log record: the one place where names
 * are mapped.
 *
 * Names are those of the semantic conventions (v1.44) where there is one; Kubernetes names go
 * behind `source.` and `destination.`, because a flow has two ends. A column that is not here
 * keeps its name behind `fovea.`.
 */

export interface Attribute {
  readonly name: string
  /**
   * The attribute is left out where the value is 0: the dictionary says that 0 means none or
   * unknown.
   */
  readonly omitZero?: true
  /**
   * Text in place of small numbers, by value; other numbers are written in decimal. Empty: left
   * out.
   */
  readonly words?: Readonly<Record<number, string>>
  /** The text is a comma-separated list and becomes an array of strings. */
  readonly list?: true
  /** Always a double, so that the attribute never changes its type from row to row. */
  readonly double?: true
}

/** IANA's keywords, as `aggregate` writes them too. */
const TRANSPORTS = {
  0: '',
  1: 'icmp',
  2: 'igmp',
  4: 'ipv4',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  41: 'ipv6',
  47: 'gre',
  50: 'esp',
  51: 'ah',
  58: 'ipv6-icmp',
  89: 'ospf',
  103: 'pim',
  112: 'vrrp',
  115: 'l2tp',
  132: 'sctp',
  136: 'udplite',
}

const COLUMNS: Readonly<Record<string, Attribute>> = {
  protocol: { name: 'network.transport', words: TRANSPORTS },
  packets: { name: 'network.io.packets' },
  bytes: { name: 'network.io.bytes' },
  direction: { name: 'network.io.direction', words: { 0: '', 1: 'receive', 2: 'transmit' } },
  interface: { name: 'fovea.interface', omitZero: true },
  direction_name: { name: 'network.io.direction' },
  interface_name: { name: 'network.interface.name' },
  query_name: { name: 'dns.question.name' },
  query_type: { name: 'dns.question.type' },
  response_code: { name: 'dns.response_code' },
  answers: { name: 'dns.answers', list: true },
  process_id: { name: 'process.pid', omitZero: true },
  command: { name: 'process.executable.name' },
  error: { name: 'error.type' },
  start_us: { name: 'fovea.start_us', omitZero: true },
  rtt_us: { name: 'fovea.rtt_us', omitZero: true },
  handshake_us: { name: 'fovea.handshake_us', omitZero: true },
  latency_us: { name: 'fovea.latency_us', omitZero: true },
  initiator: { name: 'fovea.initiator', words: { 0: '', 1: 'source', 2: 'destination' } },
  flow_state: {
    name: 'fovea.flow_state',
    words: { 0: '', 1: 'new', 2: 'active', 3: 'closed', 4: 'reset', 5: 'idle', 6: 'other' },
  },
  tunnel: {
    name: 'fovea.tunnel',
    words: { 0: '', 1: 'vxlan', 2: 'geneve', 3: 'gre', 4: 'ipip' },
  },
  tunnel_id: { name: 'fovea.tunnel_id', omitZero: true },
  vlan: { name: 'network.vlan.id', omitZero: true },
  cgroup_path: { name: 'linux.cgroup.path' },
  translated_address: { name: 'fovea.translated.address' },
  translated_port: { name: 'fovea.translated.port', omitZero: true },
  cgroup_id: { name: 'fovea.cgroup_id', omitZero: true },
  netns_cookie: { name: 'fovea.netns_cookie', omitZero: true },
  value: { name: 'fovea.value', double: true },
}

/** Behind `source.` or `destination.`. */
const ENDS: Readonly<Record<string, Attribute>> = {
  address: { name: 'address' },
  port: { name: 'port', omitZero: true },
  kind: { name: 'fovea.kind' },
  namespace: { name: 'k8s.namespace.name' },
  pod: { name: 'k8s.pod.name' },
  pod_uid: { name: 'k8s.pod.uid' },
  container: { name: 'k8s.container.name' },
  workload: { name: 'k8s.workload.name' },
  workload_kind: { name: 'k8s.workload.kind' },
  service: { name: 'k8s.service.name' },
  node: { name: 'k8s.node.name' },
  zone: { name: 'cloud.availability_zone' },
  region: { name: 'cloud.region' },
  host: { name: 'host.name' },
}
/** Columns with a key of the user's in them; longest first. */
const KEYED: readonly (readonly [column: string, attribute: string])[] = [
  ['namespace_label_', 'k8s.namespace.label.'],
  ['annotation_', 'k8s.pod.annotation.'],
  ['label_', 'k8s.pod.label.'],
]

/** Attribute of a column of any table. */
export function attributeOf(column: string): Attribute {
  const known = COLUMNS[column]
  if (known) return known
  const [, end, rest] = /^(source|destination)_(.+)$/.exec(column) ?? []
  if (end === undefined) return { name: `fovea.${column}` }
  const ofEnd = ENDS[rest]
  if (ofEnd) return { ...ofEnd, name: `${end}.${ofEnd.name}` }
  const keyed = KEYED.find(([prefix]) => rest.startsWith(prefix))
  if (keyed) return { name: `${end}.${keyed[1]}${rest.slice(keyed[0].length)}` }
  return { name: `fovea.${column}` }
}
