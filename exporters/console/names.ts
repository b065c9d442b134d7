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

const columnsOf = <S extends string>(side: S) =>
  ({
    address: `${side}_address`,
    port: `${side}_port`,
    pod: `${side}_pod`,
    service: `${side}_service`,
    workload: `${side}_workload`,
    namespace: `${side}_namespace`,
    node: `${side}_node`,
    host: `${side}_host`,
  }) as const
const COLUMNS = { source: columnsOf('source'), destination: columnsOf('destination') }

/** `shop/web-0:8080`, `10.0.0.1:443`, `[2001:db8::1]:443`; no port where there is none. */
export function endpointText(batch: Batch, side: 'source' | 'destination', row: number): string {
  const names = COLUMNS[side]
  const port = (batch.data[names.port] as ArrayLike<number> | undefined)?.[row] ?? 0
  const name = nameOf(batch, names, row)
  if (name !== '') return port === 0 ? name : `${name}:${port}`
  const address = batch.data[names.address] as Uint8Array
  const text = addressText(address, 16 * row)
  if (port === 0) return text
  return isIpv4(address, 16 * row) ? `${text}:${port}` : `[${text}]:${port}`
}

type Names = (typeof COLUMNS)['source'] | (typeof COLUMNS)['destination']

function nameOf(batch: Batch, names: Names, row: number): string {
  const within =
    textOf(batch, names.pod, row) ||
    textOf(batch, names.service, row) ||
    textOf(batch, names.workload, row)
  if (within === '') return textOf(batch, names.node, row) || textOf(batch, names.host, row)
  const namespace = textOf(batch, names.namespace, row)
  return namespace === '' ? within : `${namespace}/${within}`
}

function textOf(batch: Batch, column: string, row: number): string {
  if (batch.columns[column] !== 'text') return ''
  return batch.text[(batch.data[column] as Uint32Array)[row]]
}
