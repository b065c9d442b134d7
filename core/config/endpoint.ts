/**
 * `host:port` as `service.telemetry` has it: taken apart, and checked before anything listens.
 */

/** `host:port`, `[::1]:port` or `:port`. */
export function splitEndpoint(endpoint: string): { host: string | undefined; port: number } {
  const at = endpoint.lastIndexOf(':')
  const host = endpoint.slice(0, at).replace(/^\[|\]$/g, '')
  return { host: host || undefined, port: Number(endpoint.slice(at + 1)) }
}

/** What is wrong with an endpoint, without showing it; undefined when it is right, or empty. */
export function endpointMistake(endpoint: string): string | undefined {
  if (endpoint === '') return undefined
  const match = /^([a-z]+:\/\/)?(\[[0-9a-fA-F:.%\w]+\]|[^:\s/[\]$]*):(\d{1,5})$/.exec(endpoint)
  if (match && Number(match[3]) <= 65_535) return undefined
  return match ? 'a port is at most 65535' : 'write it as host:port, such as 127.0.0.1:9465'
}
