/**
 * TLS options of exporters, with the Collector's names: what a client needs to trust and show,
 * what a server needs to show and ask for. Files are read once, when the exporter opens.
 */
import { readFileSync } from 'node:fs'
import { ConfigError, type ConfigOf, type ConfigSpec } from '../core/index.ts'

export const SERVER_TLS = {
  cert_file: { type: 'string', description: 'Certificate (PEM, with its chain).', required: true },
  key_file: {
    type: 'string',
    description: 'Private key of the certificate (PEM).',
    required: true,
  },
  client_ca_file: {
    type: 'string',
    description: 'Clients must show a certificate signed by one of these (PEM).',
  },
} as const satisfies ConfigSpec

export const CLIENT_TLS = {
  insecure: {
    type: 'boolean',
    description:
      'No TLS. Without it, a scheme decides, else the address: loopback goes without TLS.',
  },
  insecure_skip_verify: {
    type: 'boolean',
    default: false,
    description: "Takes any certificate of the server's: no protection against a false server.",
  },
  ca_file: {
    type: 'string',
    description: 'Authorities to trust instead of those that Node ships (PEM).',
  },
  cert_file: {
    type: 'string',
    description: 'Own certificate, for servers that ask for one (PEM).',
  },
  key_file: { type: 'string', description: 'Private key of the own certificate (PEM).' },
  server_name_override: {
    type: 'string',
    description:
      "Name that the server's certificate must carry, where it is not the endpoint's host.",
  },
} as const satisfies ConfigSpec

export type ServerTls = ConfigOf<typeof SERVER_TLS>
export type ClientTls = ConfigOf<typeof CLIENT_TLS>

export interface ServerSecrets {
  readonly cert: Buffer
  readonly key: Buffer
  readonly ca: Buffer | undefined
}

/** @throws ConfigError naming the option whose file cannot be read. */
export function readServerTls(tls: ServerTls): ServerSecrets {
  return {
    cert: readPem(tls.cert_file, 'tls.cert_file'),
    key: readPem(tls.key_file, 'tls.key_file'),
    ca: tls.client_ca_file ? readPem(tls.client_ca_file, 'tls.client_ca_file') : undefined,
  }
}

export interface ClientSecrets {
  readonly ca: Buffer | undefined
  readonly cert: Buffer | undefined
  readonly key: Buffer | undefined
  readonly verify: boolean
  readonly serverName: string | undefined
}

/**
 * @throws ConfigError naming the option whose file cannot be read, or a certificate without its
 * key.
 */
export function readClientTls(tls: ClientTls): ClientSecrets {
  if (Boolean(tls.cert_file) !== Boolean(tls.key_file)) {
    const [given, missing] = tls.cert_file ? ['cert_file', 'key_file'] : ['key_file', 'cert_file']
    throw new ConfigError([{ path: `tls.${given}`, message: `needs tls.${missing} beside it` }])
  }
  return {
    ca: tls.ca_file ? readPem(tls.ca_file, 'tls.ca_file') : undefined,
    cert: tls.cert_file ? readPem(tls.cert_file, 'tls.cert_file') : undefined,
    key: tls.key_file ? readPem(tls.key_file, 'tls.key_file') : undefined,
    verify: !tls.insecure_skip_verify,
    serverName: tls.server_name_override || undefined,
  }
}

function readPem(file: string, path: string): Buffer {
  try {
    const bytes = readFileSync(file)
    if (bytes.includes('-----BEGIN ')) return bytes
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new ConfigError([{ path, message: `cannot read ${file}: ${code ?? message}` }])
  }
  throw new ConfigError([{ path, message: `${file} is not a PEM file` }])
}
