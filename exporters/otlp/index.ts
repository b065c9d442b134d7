/**
 * Metrics and logs to any OTLP receiver: a collector, or a backend that speaks OTLP itself.
 *
 * Series become sums, gauges and histograms; rows of every other table become log records. Core
 * queues, retries and sets deadlines; here a batch is cut into requests, and what the server
 * acknowledged is not sent again when core retries the rest.
 */
import {
  type Batch,
  type ConfigOf,
  defineExporter,
  type Exporter,
  type Host,
  PermanentError,
  RetryableError,
  SERIES_TABLE,
  type SeriesView,
  type WriteContext,
} from '../../core/index.ts'
import { readClientTls } from '../tls.ts'
import { partialSuccess } from './answers.ts'
import { destinationOf } from './destination.ts'
import { Envelope } from './envelope.ts'
import { LogRequests } from './logs.ts'
import { MetricRequests } from './metrics.ts'
import { OPTIONS } from './options.ts'
import { ProtoWriter } from './proto_writer.ts'
import type { Signal, Transport } from './transport.ts'

type Config = ConfigOf<typeof OPTIONS>

export default defineExporter({
  summary: 'Metrics and logs by OTLP, over gRPC or HTTP',
  stability: 'beta',
  config: OPTIONS,
  needs: config => {
    destinationOf(config)
    return [{ time_us: 'number' }]
  },
  async open(config, host) {
    return new OtlpExporter(config, host, await openTransport(config, host))
  },
})

async function openTransport(config: Config, host: Host): Promise<Transport> {
  const { protocol, tls, compression, compression_params, headers } = config
  const { endpoint, urls } = destinationOf(config)
  const userAgent = `fovea/${host.agent.version}`
  const options = { compression, level: compression_params.level, headers, userAgent }
  if (protocol === 'grpc') {
    const { grpcTransport } = await import('./grpc.ts')
    return grpcTransport(endpoint, endpoint.secure ? readClientTls(tls) : undefined, options)
  }
  const secure = urls.metrics.protocol === 'https:' || urls.logs.protocol === 'https:'
  const { httpTransport } = await import('./http.ts')
  return httpTransport(urls, secure ? readClientTls(tls) : undefined, options)
}

/** What `MetricRequests` and `LogRequests` have in common once they have begun. */
interface Requests {
  readonly points: number
  next(): Buffer | null
  acknowledge(): void
  giveUp(): void
}

class OtlpExporter implements Exporter {
  readonly #host: Host
  readonly #transport: Transport
  readonly #config: Config
  readonly #envelope: Envelope
  readonly #writer = new ProtoWriter(64 << 10)
  readonly #metrics = new Map<SeriesView, MetricRequests>()
  readonly #logs: LogRequests
  /** A `series` batch that was not delivered whole: when it comes again, only the rest is sent. */
  #unfinished: Batch | undefined
  #complaint = ''

  constructor(config: Config, host: Host, transport: Transport) {
    this.#host = host
    this.#transport = transport
    this.#config = config
    this.#envelope = new Envelope(host, config.resource)
    this.#logs = new LogRequests(this.#envelope, this.#writer, config.message_size_max)
  }

  async write(batch: Batch, { signal, series }: WriteContext): Promise<void> {
    if (batch.table !== SERIES_TABLE) {
      if (batch.length === 0) return
      this.#logs.begin(batch)
      return this.#sendAll('logs', this.#logs, signal)
    }
    if (!series) return
    const requests = this.#requestsOf(series)
    requests.begin(batch === this.#unfinished)
    this.#unfinished = undefined
    try {
      await this.#sendAll('metrics', requests, signal)
    } catch (error) {
      if (error instanceof RetryableError) this.#unfinished = batch
      throw error
    }
  }

  #requestsOf(view: SeriesView): MetricRequests {
    let requests = this.#metrics.get(view)
    if (!requests) {
      const { message_size_max, temporality } = this.#config
      const options = { sizeMax: message_size_max, temporality }
      requests = new MetricRequests(view, this.#envelope, this.#writer, options)
      this.#metrics.set(view, requests)
    }
    return requests
  }

  /**
   * A request that the server will never take does not hold back the others, but fails the batch
   * at the end; one that may succeed later ends the attempt, and the next attempt begins with it.
   */
  async #sendAll(kind: Signal, requests: Requests, signal: AbortSignal): Promise<void> {
    let refused: PermanentError | undefined
    for (let message = requests.next(); message; message = requests.next()) {
      try {
        const answer = await this.#transport.send(kind, message, signal)
        this.#host.count('requests', 1)
        this.#host.count('request_bytes', message.length)
        this.#readAnswer(answer, requests.points)
        requests.acknowledge()
      } catch (error) {
        if (!(error instanceof PermanentError)) throw error
        refused ??= error
        this.#host.count('points_failed', requests.points)
        requests.giveUp()
      }
    }
    if (refused) throw refused
  }

  /**
   * What a server accepts only in part must not be sent again; it is counted and said once per
   * message.
   */
  #readAnswer(answer: Buffer, points: number): void {
    const partial = partialSuccess(answer)
    if (!partial) return
    const rejected = Math.min(partial.rejected, points)
    if (rejected > 0) this.#host.count('rejected', rejected)
    const complaint = `${rejected > 0}${partial.message}`
    if (complaint === this.#complaint) return
    this.#complaint = complaint
    const what = rejected > 0 ? 'the server rejected a part' : 'the server accepted with a warning'
    this.#host.log.warn(what, { rejected, message: partial.message })
  }

  close(): void {
    this.#transport.close()
  }
}
