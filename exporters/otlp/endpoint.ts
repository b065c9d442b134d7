/**
 * Where to send: the endpoint in any of the forms that collectors' users write, and whether TLS
 * is spoken.
 *
 * A scheme decides about TLS. Without one, `tls.insecure` does; else a TLS file asks for it; else
 * loopback goes without and everything else goes with it.
 */
import { ConfigError } from '../../core/index.ts'
import type { ClientTls } from '../tls.ts'

export type Protocol = 'grpc' | 'http'

export interface Endpoint {
  /** For gRPC: `host:port`, or `unix:` and a path. */
  readonly target: string
  readonly secure: boolean
  /** For HTTP: everything before `/v1/metrics`. */
  readonly url: string
}

/** @throws ConfigError */
export function parseEndpoint(
  endpoint: string | undefined,
  protocol: Protocol,
  tls: ClientTls,
): Endpoint {
  const usual = protocol === 'grpc' ? 4317 : 4318
  const text = endpoint || `127.0.0.1:${usual}`
  if (protocol === 'grpc' && text.startsWith('unix:')) {
    return { target: text, secure: tls.insecure === false, url: '' }
  }
  const scheme = /^(https?):\/\//.exec(text)?.[1]
  const url = URL.parse(scheme ? text : `http://${text}`)
  if (!url?.hostname || (!scheme && /[/?#@]/.test(text))) {
    const message = `${JSON.stringify(text)} is neither host:port nor an http:// or https:// URL`
    throw new ConfigError([{ path: 'endpoint', message }])
  }
  if (protocol === 'grpc' && url.pathname !== '/') {
    const hint = 'is protocol: http meant?'
    const message = `${JSON.stringify(text)} has a path, which gRPC has not; ${hint}`
    throw new ConfigError([{ path: 'endpoint', message }])
  }
  const secure = scheme ? scheme === 'https' : isSecure(url.hostname, tls)
  refuseContradiction(scheme, tls)
  // URL drops a port that is its scheme's default, but 80 written out is a port like any other.
  const written = /:(\d+)\/?$/.exec(text.replace(/^(https?:\/\/[^/]*).*$/, '$1'))?.[1]
  const port =
    written ?? (scheme && !(protocol === 'grpc' && !secure) ? (secure ? 443 : 80) : usual)
  const path = url.pathname.replace(/\/+$/, '')
  return {
    target: `${url.hostname}:${port}`,
    secure,
    url: `http${secure ? 's' : ''}://${url.hostname}:${port}${path}`,
  }
}

function isSecure(host: string, tls: ClientTls): boolean {
  if (tls.insecure !== undefined) return !tls.insecure
  if (tls.ca_file || tls.cert_file || tls.insecure_skip_verify || tls.server_name_override)
    return true
  return !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(host)
}

function refuseContradiction(scheme: string | undefined, tls: ClientTls): void {
  const asked = tls.insecure === false || tls.ca_file || tls.cert_file || tls.insecure_skip_verify
  if (scheme === 'http' && asked) {
    const message = 'http:// means no TLS, but tls asks for it; write https://'
    throw new ConfigError([{ path: 'endpoint', message }])
  }
  if (scheme === 'https' && tls.insecure) {
    const message = 'means no TLS, but the endpoint begins with https://'
    throw new ConfigError([{ path: 'tls.insecure', message }])
  }
}
