/**
 * Where requests go and with which headers: everything about them that can be wrong before a
 * connection is tried, so that `fovea check` says it with its place.
 */
import { ConfigError, type ConfigOf } from '../../core/index.ts'
import { type Endpoint, parseEndpoint } from './endpoint.ts'
import type { OPTIONS } from './options.ts'
import type { Signal } from './transport.ts'

export interface Destination {
  readonly endpoint: Endpoint
  /** For HTTP. */
  readonly urls: Readonly<Record<Signal, URL>>
}

/** @throws ConfigError */
export function destinationOf(config: ConfigOf<typeof OPTIONS>): Destination {
  const { protocol, tls, compression, compression_params, headers } = config
  if (compression === 'gzip' && compression_params.level > 9) {
    throw new ConfigError([{ path: 'compression_params.level', message: 'gzip has levels 1 to 9' }])
  }
  for (const [name, value] of Object.entries(headers)) refuseIllegalHeader(name, value, protocol)
  const endpoint = parseEndpoint(config.endpoint, protocol, tls)
  const url = endpoint.url || 'http://127.0.0.1'
  const urls = {
    metrics: urlOf(config.metrics_endpoint || `${url}/v1/metrics`, 'metrics_endpoint'),
    logs: urlOf(config.logs_endpoint || `${url}/v1/logs`, 'logs_endpoint'),
  }
  return { endpoint, urls }
}

/** What HTTP/1.1, HTTP/2 and gRPC all carry. Values are secrets and are not shown. */
function refuseIllegalHeader(name: string, value: string, protocol: string): void {
  const refuse = (message: string) => {
    throw new ConfigError([{ path: `headers.${name}`, message }])
  }
  if (!/^[0-9a-z_.-]+$/i.test(name)) {
    refuse(`${JSON.stringify(name)} cannot be the name of a header: letters, digits, - and _ can`)
  }
  if (protocol === 'grpc' && name.toLowerCase().endsWith('-bin')) {
    refuse('to gRPC a name that ends in -bin means raw bytes, which cannot be written here')
  }
  if (!/^[\x20-\x7e]*$/.test(value)) {
    refuse('a header carries printable ASCII only, no line breaks')
  }
}

function urlOf(text: string, path: string): URL {
  const url = URL.parse(text)
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  const message = `${JSON.stringify(text)} is not an http:// or https:// URL`
  throw new ConfigError([{ path, message }])
}
