/**
 * OTLP over gRPC: unary calls of `@grpc/grpc-js` with bytes that are ready.
 *
 * Messages are compressed here and not by the library, which knows no zstd and only gzip's
 * slowest common level. So the frame's flag and the header that name the compression must be set
 * behind the library's own filter, which it offers no public place for: `markCompressed` is the
 * one spot that knows its insides.
 */
import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { promisify } from 'node:util'
import { type ZstdOptions, zstdDecompress } from 'node:zlib'
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
const UNANSWERED_MAX = 3
/** Flag and length before each message. */
const FRAME_HEAD = 5
const zstdAsync = promisify<Buffer, ZstdOptions, Buffer>(zstdDecompress)

export function grpcTransport(
  endpoint: Endpoint,
  secrets: ClientSecrets | undefined,
  options: TransportOptions,
): Transport {
  return new GrpcTransport(endpoint, secrets, options)
}

class GrpcTransport implements Transport {
  readonly #connect: () => grpc.Client
  readonly #metadata = new grpc.Metadata()
  readonly #compress: Compress | undefined
  readonly #compression: string
  readonly #calls = new Set<grpc.ClientUnaryCall>()
  #client: grpc.Client
  /** Requests one after the other that had no answer before their deadline. */
  #unanswered = 0

  constructor(endpoint: Endpoint, secrets: ClientSecrets | undefined, options: TransportOptions) {
    for (const [name, value] of Object.entries(options.headers)) this.#metadata.set(name, value)
    this.#compression = options.compression
    this.#compress = compressor(options.compression, options.level)
    this.#connect = () => connect(endpoint, secrets, options)
    this.#client = this.#connect()
  }

  async send(signal: Signal, message: Buffer, abort: AbortSignal): Promise<Buffer> {
    const body = this.#compress ? await this.#compress(message) : message
    if (abort.aborted) throw new RetryableError('the deadline passed before the request was sent')
    return new Promise((resolve, reject) => {
      const same = (bytes: Buffer) => bytes
      const cancel = () => call.cancel()
      const done = (error: grpc.ServiceError | null, response?: Buffer) => {
        abort.removeEventListener('abort', cancel)
        this.#calls.delete(call)
        if (error) return reject(this.#failure(error, abort))
        this.#unanswered = 0
        resolve(response ?? Buffer.alloc(0))
      }
      const call = this.#client.makeUnaryRequest<Buffer, Buffer>(
        METHODS[signal],
        same,
        same,
        body,
        this.#metadata,
        {},
        done,
      )
      this.#calls.add(call)
      abort.addEventListener('abort', cancel, { once: true })
    })
  }

  #failure(error: grpc.ServiceError, abort: AbortSignal): RetryableError | PermanentError {
    if (abort.aborted) {
      this.#reconnectIfDead()
      return new RetryableError('no answer before the deadline')
    }
    this.#unanswered = 0
    const [details] = error.metadata?.get('grpc-status-details-bin') ?? []
    const bytes = details instanceof Buffer ? details : undefined
    const failure = grpcError(error.code, error.details || error.message, bytes)
    if (error.code !== UNIMPLEMENTED || !this.#compress) return failure
    const hint = `does the server take compression: ${this.#compression}?`
    return new PermanentError(`${failure.message} (${hint})`)
  }

  /** A connection whose other end vanished looks open for many minutes: silence means a new one. */
  #reconnectIfDead(): void {
    if (++this.#unanswered < UNANSWERED_MAX) return
    this.#unanswered = 0
    this.#client.close()
    this.#client = this.#connect()
  }

  close(): void {
    for (const call of this.#calls) call.cancel()
    this.#client.close()
  }
}

function connect(
  endpoint: Endpoint,
  secrets: ClientSecrets | undefined,
  options: TransportOptions,
): grpc.Client {
  const address = addressIn(endpoint.target)
  const client = new grpc.Client(endpoint.target, credentials(secrets, address), {
    'grpc.primary_user_agent': options.userAgent,
    'grpc.max_receive_message_length': RESPONSE_MAX,
    // Core retries, at its own pace; the library's back-off of up to two minutes would outlast it.
    'grpc.enable_retries': 0,
    'grpc.initial_reconnect_backoff_ms': 500,
    'grpc.max_reconnect_backoff_ms': 5000,
    // Else a new client would be given the old one's connection.
    'grpc.use_local_subchannel_pool': 1,
    ...(secrets ? namesFor(secrets.serverName, address) : {}),
  })
  if (options.compression !== 'none') markCompressed(client, options.compression)
  return client
}

/** The IP address in a target, if it is one. */
function addressIn(target: string): string | undefined {
  const host = target.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return isIP(host) ? host : undefined
}

/**
 * TLS has no server name for an IP address, and Node refuses one; the library gives it all the
 * same. So it is told a name that no server has, and the certificate is held against the address.
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

/**
 * The parts of the library's channel that `markCompressed` relies on; the version is pinned,
 * tests send through it.
 */
interface ChannelInsides {
  readonly internalChannel: {
    readonly filterStackFactory: { readonly factories: { createFilter(): unknown }[] }
  }
}

/**
 * Puts a filter behind the one that frames messages: it sets the frame's flag and
 * `grpc-encoding`, and undoes zstd in the answer, because a server may answer in the compression
 * in which it was asked (grpc-go does).
 */
function markCompressed(client: grpc.Client, encoding: string): void {
  const channel = client.getChannel() as unknown as ChannelInsides
  const factory = { createFilter: () => new CompressedFilter(encoding) }
  channel.internalChannel.filterStackFactory.factories.push(factory)
}

class CompressedFilter {
  readonly #encoding: string
  #answersZstd = false

  constructor(encoding: string) {
    this.#encoding = encoding
  }
  async sendMetadata(metadata: Promise<grpc.Metadata>): Promise<grpc.Metadata> {
    const headers = await metadata
    headers.set('grpc-encoding', this.#encoding)
    return headers
  }
  async sendMessage<M extends { message: Buffer }>(message: Promise<M>): Promise<M> {
    const frame = await message
    frame.message[0] = 1
    return frame
  }
  receiveMetadata(metadata: grpc.Metadata): grpc.Metadata {
    this.#answersZstd = metadata.get('grpc-encoding')[0] === 'zstd'
    if (this.#answersZstd) metadata.remove('grpc-encoding')
    return metadata
  }
  async receiveMessage(message: Promise<Buffer>): Promise<Buffer> {
    const frame = await message
    if (!this.#answersZstd || frame[0] === 0) return frame
    const body = await zstdAsync(frame.subarray(FRAME_HEAD), { maxOutputLength: RESPONSE_MAX })
    const plain = Buffer.alloc(FRAME_HEAD + body.length)
    plain.writeUInt32BE(body.length, 1)
    body.copy(plain, FRAME_HEAD)
    return plain
  }
  receiveTrailers(status: grpc.StatusObject): grpc.StatusObject {
    return status
  }
}
