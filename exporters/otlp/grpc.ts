/**
 * OTLP over gRPC: unary calls of `@grpc/grpc-js` with bytes that are ready.
 *
 * Messages are compressed here and not by the library, which knows no zstd and only gzip's slowest common
 * level. So the frame's flag and the header that name the compression must be set behind the library's own
 * filter, which it offers no public place for: `markCompressed` is the one spot that knows its insides.
 */
import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import * as grpc from '@grpc/grpc-js'
import { PermanentError, RetryableError } from '../../core/index.ts'
import type { ClientSecrets } from '../tls.ts'
import { grpcError } from './answers.ts'
import { type Compress, compressor } from './compression.ts'
import type { Endpoint } from './endpoint.ts'
import type { Signal, Transport, TransportOptions } from './transport.ts'

const METHODS: Readonly<Record<Signal, string>> = {
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
}
/** The specification's limit for answers. */
const RESPONSE_MAX = 4 << 20
const UNIMPLEMENTED = 12

export function grpcTransport(
  endpoint: Endpoint,
  secrets: ClientSecrets | undefined,
  options: TransportOptions,
): Transport {
  return new GrpcTransport(endpoint, secrets, options)
}

class GrpcTransport implements Transport {
  readonly #client: grpc.Client
  readonly #metadata = new grpc.Metadata()
  readonly #compress: Compress | undefined
  readonly #compression: string

  constructor(endpoint: Endpoint, secrets: ClientSecrets | undefined, options: TransportOptions) {
    for (const [name, value] of Object.entries(options.headers)) this.#metadata.set(name, value)
    this.#compression = options.compression
    this.#compress = compressor(options.compression, options.level)
    const address = addressIn(endpoint.target)
    this.#client = new grpc.Client(endpoint.target, credentials(secrets, address), {
      'grpc.primary_user_agent': options.userAgent,
      'grpc.max_receive_message_length': RESPONSE_MAX,
      // Core retries, at its own pace; the library's back-off of up to two minutes would outlast it.
      'grpc.enable_retries': 0,
      'grpc.initial_reconnect_backoff_ms': 500,
      'grpc.max_reconnect_backoff_ms': 5000,
      ...(secrets ? namesFor(secrets.serverName, address) : {}),
    })
    if (this.#compress) markCompressed(this.#client, options.compression)
  }

  async send(signal: Signal, message: Buffer, abort: AbortSignal): Promise<Buffer> {
    const body = this.#compress ? await this.#compress(message) : message
    if (abort.aborted) throw new RetryableError('the deadline passed before the request was sent')
    return new Promise((resolve, reject) => {
      const same = (bytes: Buffer) => bytes
      const call = this.#client.makeUnaryRequest<Buffer, Buffer>(
        METHODS[signal],
        same,
        same,
        body,
        this.#metadata,
        {},
        (error, response) => {
          abort.removeEventListener('abort', cancel)
          if (error) reject(this.#failure(error, abort))
          else resolve(response ?? Buffer.alloc(0))
        },
      )
      const cancel = () => call.cancel()
      abort.addEventListener('abort', cancel, { once: true })
    })
  }

  #failure(error: grpc.ServiceError, abort: AbortSignal): RetryableError | PermanentError {
    if (abort.aborted) return new RetryableError('no answer before the deadline')
    const [details] = error.metadata?.get('grpc-status-details-bin') ?? []
    const bytes = details instanceof Buffer ? details : undefined
    const failure = grpcError(error.code, error.details, bytes)
    if (error.code !== UNIMPLEMENTED || !this.#compress) return failure
    const hint = `does the server take compression: ${this.#compression}?`
    return new PermanentError(`${failure.message} (${hint})`)
  }

  close(): void {
    this.#client.close()
  }
}

/** The IP address in a target, if it is one. */
function addressIn(target: string): string | undefined {
  const host = target.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return isIP(host) ? host : undefined
}

/**
 * TLS has no server name for an IP address, and Node refuses one; the library gives it all the same. So it is
 * told a name that no server has, and the certificate is held against the address.
 */
function namesFor(
  serverName: string | undefined,
  address: string | undefined,
): grpc.ChannelOptions {
  if (serverName) {
    return { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }
  }
  return address ? { 'grpc.ssl_target_name_override': 'address.invalid' } : {}
}

function credentials(
  secrets: ClientSecrets | undefined,
  address: string | undefined,
): grpc.ChannelCredentials {
  if (!secrets) return grpc.credentials.createInsecure()
  const { ca = null, key = null, cert = null, verify, serverName } = secrets
  const byAddress = address && !serverName
  return grpc.credentials.createSsl(ca, key, cert, {
    rejectUnauthorized: verify,
    ...(byAddress
      ? { checkServerIdentity: (_, certificate) => checkServerIdentity(address, certificate) }
      : {}),
  })
}

/** The parts of the library's channel that `markCompressed` relies on; the version is pinned, tests send through it. */
interface ChannelInsides {
  readonly internalChannel: {
    readonly filterStackFactory: { readonly factories: { createFilter(): unknown }[] }
  }
}

/** Puts a filter behind the one that frames messages: it sets the frame's flag and `grpc-encoding`. */
function markCompressed(client: grpc.Client, encoding: string): void {
  const channel = client.getChannel() as unknown as ChannelInsides
  const filter = {
    async sendMetadata(metadata: Promise<grpc.Metadata>) {
      const headers = await metadata
      headers.set('grpc-encoding', encoding)
      return headers
    },
    async sendMessage(message: Promise<{ message: Buffer; flags?: number }>) {
      const frame = await message
      frame.message[0] = 1
      return frame
    },
    receiveMetadata: (metadata: grpc.Metadata) => metadata,
    receiveMessage: (message: Promise<Buffer>) => message,
    receiveTrailers: (status: grpc.StatusObject) => status,
  }
  channel.internalChannel.filterStackFactory.factories.push({ createFilter: () => filter })
}
