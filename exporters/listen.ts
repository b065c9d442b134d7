/**
 * Endpoints of exporters that serve clients: `host:port` as in the Collector, and a listening
 * socket that either stands or says in one sentence why not.
 */
import type { Server } from 'node:net'
import { ConfigError, EnvironmentError } from '../core/index.ts'

export interface Address {
  /** Empty: every address, IPv6 too where the host has it. */
  readonly host: string
  readonly port: number
}

/**
 * Reads `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464` or `:9464` (every address). @throws
 * ConfigError
 */
export function parseAddress(endpoint: string, path = 'endpoint'): Address {
  const match = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^:[\]/]*)):(\d{1,5})$/.exec(endpoint)
  const port = Number(match?.[3])
  if (!match || port > 65535) {
    const examples = 'host:port, such as 127.0.0.1:9464 or [::1]:9464'
    const message = `${JSON.stringify(endpoint)} is not an address to listen on; write ${examples}`
    throw new ConfigError([{ path, message }])
  }
  return { host: match[1] ?? match[2], port }
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * Listens, and resolves with the address in use (port 0 becomes a real one).
 * @throws EnvironmentError when the port is taken, the address is not ours or the right is missing.
 */
export function listen(server: Server, address: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => reject(sentence(error, address))
    server.once('error', failed)
    server.listen({ host: address.host || undefined, port: address.port }, () => {
      server.removeListener('error', failed)
      const bound = server.address()
      const port = typeof bound === 'object' && bound ? bound.port : address.port
      resolve({ host: address.host, port })
    })
  })
}

function sentence(error: NodeJS.ErrnoException, address: Address): EnvironmentError {
  const where = formatAddress(address)
  const [reason, remedy] = reasonOf(error, address)
  return new EnvironmentError(`cannot listen on ${where}: ${reason}`, remedy, { cause: error })
}

function reasonOf(error: NodeJS.ErrnoException, { port, host }: Address): [string, string] {
  switch (error.code) {
    case 'EADDRINUSE':
      return [
        'another process listens there',
        `See which with "ss -ltnp sport = :${port}", or set another endpoint.`,
      ]
    case 'EADDRNOTAVAIL':
      return [`this host has no address ${host}`, 'Set endpoint to an address of this host.']
    case 'EACCES':
      return [
        `port ${port} needs a privilege`,
        'Use a port from 1024 on, or grant CAP_NET_BIND_SERVICE.',
      ]
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return [`the name ${host} has no address`, 'Write an address instead of a name.']
    default:
      return [error.message, 'Set another endpoint.']
  }
}
