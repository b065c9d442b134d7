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
  /** Sent when it is 0 too. All other zeros are left out, as `flow_log` does. */
  readonly keepZero?: true
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
  packets: { name: 'network.io.packets', keepZero: true },
  bytes: { name: 'network.io.bytes', keepZero: true },
  direction: { name: 'network.io.direction', words: { 0: '', 1: 'receive', 2: 'transmit' } },
  direction_name: { name: 'network.io.direction' },
  interface_name: { name: 'network.interface.name' },
  query_name: { name: 'dns.question.name' },
  query_type: { name: 'dns.question.type' },
  response_code: { name: 'dns.response_code' },
  answers: { name: 'dns.answers', list: true },
  process_id: { name: 'process.pid' },
  command: { name: 'process.executable.name' },
  error: { name: 'error.type' },
  initiator: { name: 'fovea.initiator', words: { 0: '', 1: 'source', 2: 'destination' } },
  flow_state: {
    name: 'fovea.flow_state',
    words: { 0: '', 1: 'new', 2: 'active', 3: 'closed', 4: 'reset', 5: 'idle', 6: 'other' },
  },
  tunnel: {
    name: 'fovea.tunnel',
    words: { 0: '', 1: 'vxlan', 2: 'geneve', 3: 'gre', 4: 'ipip' },
  },
  vlan: { name: 'network.vlan.id' },
  cgroup_path: { name: 'linux.cgroup.path' },
  translated_address: { name: 'fovea.translated.address' },
  translated_port: { name: 'fovea.translated.port' },
  value: { name: 'fovea.value', double: true, keepZero: true },
}

/** Behind `source.` or `destination.`. */
const ENDS: Readonly<Record<string, string>> = {
  address: 'address',
  port: 'port',
  kind: 'fovea.kind',
  namespace: 'k8s.namespace.name',
  pod: 'k8s.pod.name',
  pod_uid: 'k8s.pod.uid',
  container: 'k8s.container.name',
  workload: 'k8s.workload.name',
  workload_kind: 'k8s.workload.kind',
  service: 'k8s.service.name',
  node: 'k8s.node.name',
  zone: 'cloud.availability_zone',
  region: 'cloud.region',
  host: 'host.name',
}
/** Columns with a key of the user's in them; longest first. */
const KEYED: readonly (readonly [column: string, attribute: string])[] = [
  ['namespace_label_', 'k8s.namespace.label.'],
  ['annotation_', 'k8s.pod.annotation.'],
  ['label_', 'k8s.pod.label.'],
]

/** Attribute of a column of any table. */
export function attributeOf(column: string): Attribute {
  if (Object.hasOwn(COLUMNS, column)) return COLUMNS[column]
  const [, end, rest] = /^(source|destination)_(.+)$/.exec(column) ?? []
  if (end === undefined) return { name: `fovea.${column}` }
  if (Object.hasOwn(ENDS, rest)) return { name: `${end}.${ENDS[rest]}` }
  const keyed = KEYED.find(([prefix]) => rest.startsWith(prefix))
  if (keyed) return { name: `${end}.${keyed[1]}${rest.slice(keyed[0].length)}` }
  return { name: `fovea.${column}` }
}
