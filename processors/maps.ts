/**
 * Named translations of numbers to words, for labels: `map: protocol_names` in a metric's `by`.
 */

/**
 * IANA protocol numbers whose OpenTelemetry or IANA keyword people know; 0 is "not known" and has
 * no word.
 */
const PROTOCOLS: Readonly<Record<number, string>> = {
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

/** The keyword in lower case, or the number in digits. */
export function protocolName(protocol: number): string {
  return PROTOCOLS[protocol] ?? String(protocol)
}
