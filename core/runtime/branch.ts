/**
 * A branch: the bounded queue, the retries and the deadline in front of one exporter.
 *
 * Every exporter has its own, so a dead backend delays nobody else. What does not fit, expires or
 * is refused for good is counted in the ledger; what waits is `held`.
 */
import type { Batch } from '../batch.ts'
import type { Exporter, Log, WriteContext } from '../contract.ts'
import { PermanentError, RetryableError } from '../errors.ts'
import { LogLimiter } from '../log.ts'
import type { PlannedExporter } from '../plan_types.ts'
import { SERIES_TABLE, type SeriesView } from '../series.ts'
import { closeWithin, messageOf, settled, within } from './deadline.ts'
import type { Lease } from './lease.ts'
import type { Account } from './ledger.ts'
import { sizeOf, type Waiting } from './waiting.ts'

/** What an exporter is given to end a write after its deadline, and to close at the end. */
const GRACE_MS = 1000

type OpenExporter = (plan: PlannedExporter) => Exporter | Promise<Exporter>

export class Branch {
  readonly id: string
  /**
   * Taken in so far and done with so far, whatever the outcome; for `SeriesStore` ids that wait to
   * be reused.
   */
  taken = 0
  done = 0
  #size = 0
  #plan: PlannedExporter
  #exporter: Exporter
  readonly #open: OpenExporter
  readonly #log: Log
  readonly #limited: LogLimiter
  readonly #queue: Waiting[] = []
  /**
   * Newest waiting `series` batch of each pipeline and dictionary: older ones say nothing that it
   * does not.
   */
  readonly #newest = new Map<SeriesView, Waiting>()
  #running: Promise<void> | undefined
  #current: Waiting | undefined
  /** The attempt under way, and a pause before the next one. */
  #attempting: Promise<unknown> | undefined
  #pause: Promise<void> | undefined
  #writing: AbortController | undefined
  #stopping = false
  #wake: (() => void) | undefined

  /** @param open opens the exporter of a plan, for `exchange`. */
  constructor(plan: PlannedExporter, exporter: Exporter, open: OpenExporter, log: Log) {
    this.id = plan.id
    this.#plan = plan
    this.#exporter = exporter
    this.#open = open
    this.#log = log
    this.#limited = new LogLimiter(log)
  }

  get plan(): PlannedExporter {
    return this.#plan
  }

  /**
   * Goes over to an exporter with other options; the queue stays. The old one is closed first,
   * because both may want the same port or file. @throws what the new one's `open` threw; the old
   * options are then in force again.
   */
  async exchange(plan: PlannedExporter): Promise<void> {
    let resume: () => void = () => undefined
    this.#pause = new Promise(resolve => {
      resume = resolve
    })
    try {
      await this.#endAttempt()
      await this.#close(GRACE_MS)
      try {
        this.#exporter = await this.#open(plan)
        this.#plan = plan
      } catch (error) {
        this.#exporter = await this.#open(this.#plan)
        throw error
      }
    } finally {
      this.#pause = undefined
      resume()
    }
  }

  /** @throws when the write that is under way does not even end at its deadline. */
  async #endAttempt(): Promise<void> {
    const patienceMs = (this.#plan.timeoutMs || 5 * GRACE_MS) + GRACE_MS
    if (await within(Promise.resolve(this.#attempting), patienceMs)) return
    throw new Error(`${this.id} does not end the write that is under way`)
  }

  #close(ms: number): Promise<void> {
    return closeWithin(() => this.#exporter.close(), ms, this.#log)
  }

  /** Fill of the queue in units of its sizer. */
  get size(): number {
    return this.#size
  }
  get capacity(): number {
    return this.#plan.queue.queue_size
  }
  /** With `overflow: block`, core reads nothing more for this branch while this is true. */
  get full(): boolean {
    return this.#plan.queue.overflow === 'block' && this.#size >= this.capacity
  }

  wants(batch: Batch): boolean {
    return this.#plan.needs.some(columns =>
      Object.keys(columns).every(name => batch.columns[name] === columns[name]),
    )
  }

  offer(batch: Batch, series: SeriesView | undefined, account: Account, lease?: Lease): void {
    account.rows.in += batch.length
    const size = sizeOf(batch, this.#plan.queue.sizer)
    if (!this.#makeRoom(size)) {
      account.rows.refused += batch.length
      this.#sayFull()
      return
    }
    const number = ++this.taken
    const waiting = { batch, series, account, size, number, lease, settled: false }
    lease?.hold()
    this.#queue.push(waiting)
    this.#size += size
    account.rows.held += batch.length
    if (series && batch.table === SERIES_TABLE) this.#newest.set(series, waiting)
    this.#running ??= this.#run()
  }

  /**
   * A batch larger than the whole queue is taken when the queue is empty: it could never go
   * otherwise.
   */
  #makeRoom(size: number): boolean {
    if (this.#plan.queue.overflow === 'block') return true
    while (this.#size + size > this.capacity && this.#queue.length > 0) {
      if (this.#plan.queue.overflow === 'drop_newest') return false
      const oldest = this.#queue.shift() as Waiting
      this.#leave(oldest, 'refused')
      this.#sayFull()
    }
    return true
  }

  #leave(waiting: Waiting, outcome: 'out' | 'refused' | 'failed' | 'folded'): void {
    if (waiting.settled) return
    waiting.settled = true
    this.#size -= waiting.size
    waiting.account.rows.held -= waiting.batch.length
    waiting.account.rows[outcome] += waiting.batch.length
    if (waiting.series && this.#newest.get(waiting.series) === waiting) {
      this.#newest.delete(waiting.series)
    }
    this.done = waiting.number
    waiting.lease?.drop()
  }

  async #run(): Promise<void> {
    await undefined // so that `#running` is set before the first batch can be done with
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      this.#current = next
      if (this.#superseded(next)) this.#leave(next, 'folded')
      else this.#leave(next, await this.#deliver(next))
    }
    this.#current = undefined
    this.#running = undefined
  }

  /**
   * Its values are in the store, and a newer batch of the same series waits: one export says both.
   */
  #superseded(waiting: Waiting): boolean {
    const newest = waiting.series && this.#newest.get(waiting.series)
    return newest !== undefined && newest !== waiting
  }

  async #deliver(waiting: Waiting): Promise<'out' | 'failed'> {
    const { retry } = this.#plan
    const startMs = performance.now()
    let delayMs = retry.initial_interval
    for (let attempts = 1; ; attempts++) {
      await this.#pause
      const attempt = this.#attempt(waiting)
      this.#attempting = attempt
      const error = await attempt
      if (!error) return 'out'
      const elapsedMs = performance.now() - startMs
      const spread = 1 + retry.randomization_factor * (2 * Math.random() - 1)
      const waitMs = Math.max(delayMs * spread, error.afterMs ?? 0)
      const late = retry.max_elapsed_time > 0 && elapsedMs + waitMs > retry.max_elapsed_time
      if (!error.retryable || !retry.enabled || late || this.#stopping) {
        const fields = { rows: waiting.batch.length, table: waiting.batch.table, attempts }
        this.#limited.error('dropped', `batch dropped: ${error.message}`, fields)
        return 'failed'
      }
      this.#limited.warn('retrying', `write failed, retrying: ${error.message}`, {
        wait_ms: Math.round(waitMs),
      })
      await this.#sleep(waitMs)
      delayMs = Math.min(delayMs * retry.multiplier, retry.max_interval)
    }
  }

  /** One call of `write` within the deadline; undefined when it was accepted. */
  async #attempt(
    waiting: Waiting,
  ): Promise<{ message: string; retryable: boolean; afterMs: number | undefined } | undefined> {
    const abort = new AbortController()
    this.#writing = abort
    const { timeoutMs } = this.#plan
    const timer = timeoutMs > 0 ? setTimeout(() => abort.abort(), timeoutMs) : undefined
    const startMs = performance.now()
    try {
      const context: WriteContext = { signal: abort.signal, series: waiting.series }
      const written = this.#exporter.write(waiting.batch, context)
      waiting.account.seconds += (performance.now() - startMs) / 1000
      if (written) await settled(written, abort.signal, GRACE_MS, () => this.#stuck())
      return undefined
    } catch (error) {
      if (abort.signal.aborted && !(error instanceof PermanentError)) {
        return { message: `no answer in ${timeoutMs} ms`, retryable: true, afterMs: undefined }
      }
      const retryable = error instanceof RetryableError
      return {
        message: messageOf(error),
        retryable,
        afterMs: retryable ? error.afterMs : undefined,
      }
    } finally {
      clearTimeout(timer)
      this.#writing = undefined
    }
  }

  #sayFull(): void {
    const { overflow, queue_size, sizer } = this.#plan.queue
    const fields = { overflow, queue_size, sizer }
    this.#limited.warn('full', 'the queue is full: rows are refused', fields)
  }

  #stuck(): void {
    this.#limited.warn('stuck', 'write goes on after its deadline; nothing else is written')
  }

  #sleep(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /**
   * Writes what waits, each batch one more attempt, until `deadlineMs` (performance.now); then what
   * is left counts as failed. Resolves when the exporter is closed, or does not close. Never
   * throws.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#stopping = true
    this.#wake?.()
    const leftMs = () => deadlineMs - performance.now()
    if (!(await within(Promise.resolve(this.#running), leftMs()))) {
      const rest = this.#queue.splice(0)
      if (this.#current) rest.unshift(this.#current)
      let rows = 0
      for (const waiting of rest) {
        rows += waiting.batch.length
        this.#leave(waiting, 'failed')
      }
      this.#writing?.abort()
      this.#log.error('stopped before everything was delivered', { rows_lost: rows })
    }
    this.#limited.flush()
    await this.#close(Math.max(GRACE_MS, leftMs()))
  }
}
