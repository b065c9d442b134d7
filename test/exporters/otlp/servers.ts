/**
 * OTLP servers for tests: real sockets, answers by script. The gRPC one is `@grpc/grpc-js`'s own
 * server; the raw one speaks HTTP/2 by hand, for what a good server never does: zstd, resets,
 * silence.
 */
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import * as grpc from '@grpc/grpc-js'
import { encode } from './decode.ts'

export type Signal = 'metrics' | 'logs'

export interface Received {
  readonly signal: Signal
  /** Decompressed. */
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Differs from connection to connection. */
  readonly connection: number
}

export interface GrpcReply {
  readonly body?: Buffer
  readonly code?: number
  readonly message?: string
  /** `grpc-status-details-bin`. */
  readonly details?: Buffer
  /** Never answers. */
  readonly silent?: true
}

export interface TestServer<R> {
  readonly port: number
  readonly received: Received[]
  /** Answers to come; when there are no more, every request is accepted. */
  readonly script: R[]
  close(): Promise<void>
}

export async function grpcServer(
  credentials = grpc.ServerCredentials.createInsecure(),
): Promise<TestServer<GrpcReply>> {
  const received: Received[] = []
  const script: GrpcReply[] = []
  const server = new grpc.Server()
  for (const signal of ['metrics', 'logs'] as const) {
    server.addService(definition(signal), { export: handler(signal, received, script) })
  }
  const bind = (done: (error: Error | null, port: number) => void) =>
    server.bindAsync('127.0.0.1:0', credentials, done)
  const port = await new Promise<number>((resolve, reject) =>
    bind((error, bound) => (error ? reject(error) : resolve(bound))),
  )
  return { port, received, script, close: async () => server.forceShutdown() }
}

function definition(signal: Signal): grpc.ServiceDefinition {
  const name = signal === 'metrics' ? 'metrics.v1.MetricsService' : 'logs.v1.LogsService'
  const same = (bytes: Buffer) => bytes
  return {
    export: {
      path: `/opentelemetry.proto.collector.${name}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  }
}

function handler(
  signal: Signal,
  received: Received[],
  script: GrpcReply[],
): grpc.handleUnaryCall<Buffer, Buffer> {
  return (call, answer) => {
    const headers = Object.fromEntries(
      Object.entries(call.metadata.getMap()).map(([name, value]) => [name, String(value)]),
    )
    const connection = Number(call.getPeer().split(':').at(-1))
    received.push({ signal, body: call.request, headers, connection })
    const { body = Buffer.alloc(0), code, message = '', details, silent } = script.shift() ?? {}
    if (silent) return
    if (!code) return answer(null, body)
    const metadata = new grpc.Metadata()
    if (details) metadata.set('grpc-status-details-bin', details)
    answer({ code, details: message, metadata })
  }
}

/** What the raw server does with a request: accept it, tear the stream or the whole connection. */
export type RawReply = 'accept' | 'reset_stream' | 'drop_connection'

/** Speaks gRPC over plain HTTP/2 without a library and decompresses gzip and zstd. */
export async function rawGrpcServer(): Promise<TestServer<RawReply>> {
  const received: Received[] = []
  const script: RawReply[] = []
  const sessions = new Set<http2.ServerHttp2Session>()
  const server = http2.createServer()
  server.on('session', session => {
    sessions.add(session)
    session.on('error', () => {})
    session.on('close', () => sessions.delete(session))
  })
  server.on('stream', async (stream: http2.ServerHttp2Stream, headers) => {
    stream.on('error', () => {})
    const reply = script[0] ?? 'accept'
    const chunks: Buffer[] = []
    for await (const chunk of stream) {
      chunks.push(chunk)
      // In the middle of the message, when a part of it has come.
      if (reply !== 'accept') break
    }
    script.shift()
    if (reply === 'reset_stream') return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
    if (reply === 'drop_connection') return stream.session?.destroy()
    received.push({
      signal: headers[':path']?.includes('Metrics') ? 'metrics' : 'logs',
      body: unframed(Buffer.concat(chunks), String(headers['grpc-encoding'])),
      headers: headers as Record<string, string>,
      connection: stream.session?.socket.remotePort ?? 0,
    })
    // As grpc-go does: the answer comes in the compression of the request.
    const encoding = headers['grpc-encoding']
    const fields = { ':status': 200, 'content-type': 'application/grpc', 'grpc-encoding': encoding }
    stream.respond(fields, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(framed(ANSWER, String(encoding)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    for (const session of sessions) session.destroy()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, received, script, close }
}

/** Nothing rejected, but a remark: a client that cannot read the answer does not know it. */
const ANSWER = encode('ExportServiceResponse', { partial_success: { error_message: 'read' } })

function framed(message: Buffer, encoding: string): Buffer {
  const pack = { gzip: gzipSync, zstd: zstdCompressSync }[encoding]
  const body = pack ? pack(message) : message
  const head = Buffer.alloc(5)
  head[0] = pack ? 1 : 0
  head.writeUInt32BE(body.length, 1)
  return Buffer.concat([head, body])
}

function unframed(frame: Buffer, encoding: string): Buffer {
  const body = frame.subarray(5)
  if (frame.readUInt32BE(1) !== body.length) throw new Error('a frame whose length is wrong')
  return frame[0] === 1 ? decompressed(body, encoding) : body
}

function decompressed(body: Buffer, encoding: string | undefined): Buffer {
  if (encoding === 'gzip') return gunzipSync(body)
  if (encoding === 'zstd') return zstdDecompressSync(body)
  return body
}

export interface HttpReply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
  /** Closes the connection without an answer, after the request or in the middle of it. */
  readonly drop?: 'after' | 'middle'
  readonly silent?: true
}

export async function httpServer(tls?: https.ServerOptions): Promise<TestServer<HttpReply>> {
  const received: Received[] = []
  const script: HttpReply[] = []
  const answer: http.RequestListener = async (request, response) => {
    const reply = script.shift() ?? {}
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) {
        chunks.push(chunk)
        if (reply.drop === 'middle') return request.socket.destroy()
      }
    } catch {
      return
    }
    const headers = request.headers as Record<string, string>
    received.push({
      signal: request.url?.endsWith('/metrics') ? 'metrics' : 'logs',
      body: decompressed(Buffer.concat(chunks), headers['content-encoding']),
      headers: { ...headers, ':path': request.url },
      connection: request.socket.remotePort ?? 0,
    })
    if (reply.drop) return request.socket.destroy()
    if (reply.silent) return
    response.writeHead(reply.status ?? 200, reply.headers).end(reply.body)
  }
  const server = tls ? https.createServer(tls, answer) : http.createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    server.closeAllConnections()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, received, script, close }
}
