/**
 * What an endpoint, a protocol and a state are called on the screen. The best name that the columns
 * hold wins: pod, then service, workload, node, external host name; else the address.
 */
import type { Batch } from '../../core/index.ts'
import { addressText, isIpv4 } from '../address.ts'

/** `flow_state`, by value. */
export const STATES: readonly string[] = ['', 'new', 'active', 'closed', 'reset', 'idle', 'other']

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'icmp',
  2: 'igmp',
  4: 'ipip',
  6: 'tcp',
  17: 'udp',
  41: 'ipv6',
  47: 'gre',
  50: 'esp',
  58: 'icmp6',
  132: 'sctp',
}

export function protocolName(number: number): string {
  return PROTOCOLS[number] ?? `ip ${number}`
}

/** `shop/web-0:8080`, `10.0.0.1:443`, `[2001:db8::1]:443`; no port where there is none. */
export function endpointText(batch: Batch, side: 'source' | 'destination', row: number): string {
  const port = (batch.data[`${side}_port`] as ArrayLike<number> | undefined)?.[row] ?? 0
  const name = nameOf(batch, side, row)
  if (name !== '') return port === 0 ? name : `${name}:${port}`
  const address = batch.data[`${side}_address`] as Uint8Array
  const text = addressText(address, 16 * row)
  if (port === 0) return text
  return isIpv4(address, 16 * row) ? `${text}:${port}` : `[${text}]:${port}`
}

function nameOf(batch: Batch, side: string, row: number): string {
  const text = (column: string) => {
    const name = `${side}_${column}`
    return batch.columns[name] === 'text' ? batch.text[(batch.data[name] as Uint32Array)[row]] : ''
  }
  const within = text('pod') || text('service') || text('workload')
  if (within !== '') return text('namespace') === '' ? within : `${text('namespace')}/${within}`
  return text('node') || text('host')
}
