/**
 * The HTTP side of the endpoint: who may scrape, how many at once, and how bytes leave at the
 * pace at which they are taken. A scraper that is slow holds one 64 KiB buffer until its time is
 * up, and nobody else waits.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { constants, createGzip } from 'node:zlib'
import type { ServerSecrets } from '../tls.ts'
import type { Format } from './families.ts'
import { CONTENT_TYPE, chooseFormat, takesGzip } from './negotiate.ts'

export interface ScrapeServerOptions {
  readonly path: string
  readonly bearerToken: string | undefined
  readonly tls: ServerSecrets | undefined
  readonly scrapesMax: number
  /** Milliseconds from request to last byte. */
  readonly scrapeTimeout: number
  /** A new scrape's text. `signal` is not given: an abandoned generator is closed by `return()`. */
  readonly text: (format: Format) => Generator<Buffer, void, void>
  readonly count: (name: string, n: number) => void
}

const CONNECTIONS_MAX = 256

/** A server that does not listen yet. https is loaded only where TLS is configured. */
export async function scrapeServer(options: ScrapeServerOptions): Promise<Server> {
  const scrapes = new Scrapes(options)
  const handler = (request: IncomingMessage, response: ServerResponse) =>
    void scrapes.answer(request, response)
  const limits = { requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 65_000 }
  const server = options.tls
    ? await httpsServer(options.tls, limits, handler)
    : http.createServer(limits, handler)
  server.maxConnections = CONNECTIONS_MAX
  return server
}

async function httpsServer(
  tls: ServerSecrets,
  limits: http.ServerOptions,
  handler: http.RequestListener,
): Promise<Server> {
  const { createServer } = await import('node:https')
  const { cert, key, ca } = tls
  const client = ca ? { ca, requestCert: true, rejectUnauthorized: true } : {}
  return createServer({ ...limits, cert, key, minVersion: 'TLSv1.2', ...client }, handler)
}

class Scrapes {
  readonly #options: ScrapeServerOptions
  readonly #token: Buffer | undefined
  #running = 0

  constructor(options: ScrapeServerOptions) {
    this.#options = options
    this.#token = options.bearerToken ? digest(options.bearerToken) : undefined
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    const refusal = this.#refusal(request)
    if (refusal) {
      const [status, text, headers] = refusal
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers })
      response.end(request.method === 'HEAD' ? undefined : `${text}\n`)
      return
    }
    this.#running++
    const timer = setTimeout(() => {
      this.#options.count('scrape_timeouts', 1)
      response.destroy()
    }, this.#options.scrapeTimeout)
    try {
      await this.#scrape(request, response)
    } catch {
      // The scraper went away in the middle: its business.
      this.#options.count('scrapes_aborted', 1)
      response.destroy()
    } finally {
      clearTimeout(timer)
      this.#running--
    }
  }

  #refusal(request: IncomingMessage): [number, string, Record<string, string>?] | undefined {
    const { path, scrapesMax } = this.#options
    if (pathOf(request) !== path) return [404, `Nothing here. Metrics are at ${path}`]
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return [405, 'Only GET and HEAD.', { allow: 'GET, HEAD' }]
    }
    if (this.#token && !this.#authorized(request)) {
      this.#options.count('scrapes_unauthorized', 1)
      return [401, 'A bearer token is needed.', { 'www-authenticate': 'Bearer' }]
    }
    if (this.#running >= scrapesMax) {
      this.#options.count('scrapes_refused', 1)
      return [503, `${scrapesMax} scrapes are running already.`, { 'retry-after': '1' }]
    }
    return undefined
  }

  /**
   * Digests are compared, so that the time taken tells nothing about the token, not even its
   * length.
   */
  #authorized(request: IncomingMessage): boolean {
    const given = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]
    return given !== undefined && timingSafeEqual(digest(given), this.#token as Buffer)
  }

  async #scrape(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const format = chooseFormat(request.headers.accept)
    const gzip = takesGzip(request.headers['accept-encoding'])
    response.writeHead(200, {
      'content-type': CONTENT_TYPE[format],
      vary: 'accept, accept-encoding',
      ...(gzip ? { 'content-encoding': 'gzip' } : {}),
    })
    if (request.method === 'HEAD') {
      response.end()
      return
    }
    const chunks = this.#options.text(format)
    await (gzip ? sendCompressed(chunks, response) : send(chunks, response))
    this.#options.count('scrapes', 1)
  }
}

/** Each chunk is taken by the socket before the next one overwrites it. */
async function send(chunks: Generator<Buffer, void, void>, response: ServerResponse) {
  for (const chunk of chunks) await written(response, chunk, response)
  response.end()
}

async function sendCompressed(chunks: Generator<Buffer, void, void>, response: ServerResponse) {
  const gzip = createGzip({ level: constants.Z_BEST_SPEED })
  gzip.pipe(response)
  try {
    for (const chunk of chunks) await written(gzip, chunk, response)
    gzip.end()
  } catch (error) {
    gzip.destroy()
    throw error
  }
}

interface Sink {
  write(chunk: Buffer, done: (error?: Error | null) => void): boolean
}

function written(sink: Sink, chunk: Buffer, response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error('the scraper closed the connection'))
    if (response.destroyed) return gone()
    response.once('close', gone)
    sink.write(chunk, error => {
      response.removeListener('close', gone)
      if (error) reject(error)
      else resolve()
    })
  })
}

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/'
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
