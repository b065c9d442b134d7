/**
 * OTLP over HTTP: protobuf bodies by POST, over connections that stay open. https is loaded only
 * for TLS.
 */
import http from 'node:http'
import { RetryableError } from '../../core/index.ts'
import type { ClientSecrets } from '../tls.ts'
import { httpError } from './answers.ts'
import { type Compress, compressor } from './compression.ts'
import type { Signal, Transport, TransportOptions } from './transport.ts'

/** The specification's limit for answers. */
const RESPONSE_MAX = 4 << 20

interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: Buffer
}

export async function httpTransport(
  urls: Readonly<Record<Signal, URL>>,
  secrets: ClientSecrets | undefined,
  options: TransportOptions,
): Promise<Transport> {
  const secure = Object.values(urls).some(url => url.protocol === 'https:')
  const https = secure ? await import('node:https') : undefined
  return new HttpTransport(urls, secrets, options, https)
}

class HttpTransport implements Transport {
  readonly #urls: Readonly<Record<Signal, URL>>
  readonly #headers: Readonly<Record<string, string>>
  readonly #compress: Compress | undefined
  readonly #plain = new http.Agent({ keepAlive: true })
  readonly #https: typeof import('node:https') | undefined
  readonly #tls: http.Agent | undefined

  constructor(
    urls: Readonly<Record<Signal, URL>>,
    secrets: ClientSecrets | undefined,
    options: TransportOptions,
    https: typeof import('node:https') | undefined,
  ) {
    this.#urls = urls
    this.#compress = compressor(options.compression, options.level)
    this.#headers = {
      'user-agent': options.userAgent,
      'content-type': 'application/x-protobuf',
      ...(this.#compress ? { 'content-encoding': options.compression } : {}),
      ...options.headers,
    }
    this.#https = https
    this.#tls = https && new https.Agent({ keepAlive: true, ...tlsOptions(secrets) })
  }

  async send(signal: Signal, message: Buffer, abort: AbortSignal): Promise<Buffer> {
    const body = this.#compress ? await this.#compress(message) : message
    const { status, retryAfter, body: answer } = await this.#post(this.#urls[signal], body, abort)
    if (status >= 200 && status < 300) return answer
    throw httpError(status, answer, retryAfter, Date.now())
  }

  /**
   * A connection that the server closed while it was idle is no failure: the request goes out
   * again at once.
   */
  async #post(url: URL, body: Buffer, abort: AbortSignal, again = false): Promise<Answer> {
    if (abort.aborted) throw new RetryableError('the deadline passed before the request was sent')
    const secure = url.protocol === 'https:' && this.#https
    const request = (secure ? secure.request : http.request)(url, {
      method: 'POST',
      agent: secure ? this.#tls : this.#plain,
      headers: { ...this.#headers, 'content-length': body.length },
      signal: abort,
    })
    try {
      return await answerOf(request, body)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (abort.aborted) throw new RetryableError('no answer before the deadline')
      if (request.reusedSocket && code === 'ECONNRESET' && !again) {
        return await this.#post(url, body, abort, true)
      }
      throw new RetryableError(`${url.host}: ${message || code}`, undefined, { cause: error })
    }
  }

  close(): void {
    this.#plain.destroy()
    this.#tls?.destroy()
  }
}

function answerOf(request: http.ClientRequest, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.once('error', reject)
    request.once('response', response => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > RESPONSE_MAX) request.destroy(new Error('the answer is longer than 4 MiB'))
        else chunks.push(chunk)
      })
      response.once('error', reject)
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'],
          body: Buffer.concat(chunks),
        }),
      )
    })
    request.end(body)
  })
}

function tlsOptions(secrets: ClientSecrets | undefined) {
  if (!secrets) return {}
  const { ca, cert, key, verify, serverName } = secrets
  return { ca, cert, key, rejectUnauthorized: verify, servername: serverName }
}
