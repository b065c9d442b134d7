/**
 * One receiver at run time: opened, read in slices of 10 ms, closed. A receiver that fails to open
 * is degraded with a plain sentence; one that throws while read loses nothing but that call.
 */
import type { Batch } from '../batch.ts'
import type { Host, Log, Receiver } from '../contract.ts'
import { ConfigError, isEnvironmentError } from '../errors.ts'
import { LogLimiter } from '../log.ts'
import type { PlannedReceiver } from '../plan_types.ts'
import { batchMistake } from './batch_mistake.ts'
import { closeWithin, messageOf, within } from './deadline.ts'
import type { Account, Ledger } from './ledger.ts'
import { namedError } from './named_error.ts'

/** The others do not wait longer for one that opens. */
const OPEN_MS = 5000
/** How long the end waits for it to close. */
const CLOSE_MS = 5000
/** How often a receiver is read that does not say. */
const EVERY_MS = 200
/** Rows asked for in one call. */
const ROWS_MAX = 4096
/** One slice of reading before the event loop goes on. */
const BUDGET_MS = 10

export class Reading {
  readonly plan: PlannedReceiver
  /** Why it is not open, as a sentence; undefined while all is well. */
  degraded: string | undefined
  /** What to do about it. */
  remedy = ''
  readonly #ledger: Ledger
  readonly #account: Account
  readonly #log: Log
  readonly #limited: LogLimiter
  #receiver: Receiver | undefined
  #opening = false
  #closed = false
  #lostSaid = 0

  constructor(plan: PlannedReceiver, ledger: Ledger, log: Log) {
    this.plan = plan
    this.#ledger = ledger
    this.#log = log
    this.#limited = new LogLimiter(log)
    this.#account = ledger.account('receiver', plan.id)
  }

  /**
   * Opens it, within a time that the others can wait. Failing degrades it alone; `opened` is called
   * when it opens late. @throws what ends the start: a required one failed, or the configuration is
   * wrong.
   */
  async open(host: Host, opened: () => void): Promise<void> {
    const opening = this.#open(host)
    try {
      if (await within(opening, OPEN_MS)) return
    } catch (error) {
      this.#degrade(error)
      if (this.plan.required || error instanceof ConfigError) {
        throw namedError('receiver', this.plan.id, error)
      }
      return
    }
    this.degraded = `has not opened in ${OPEN_MS / 1000} s; it is read as soon as it does`
    opening.then(
      () => {
        if (this.#closed) return
        this.degraded = undefined
        this.#log.info('open at last')
        opened()
      },
      error => {
        this.#degrade(error)
        this.#log.error(`not open: ${this.degraded}`)
      },
    )
  }

  #degrade(error: unknown): void {
    const { name, message } =
      error instanceof Error ? error : { name: 'Error', message: `${error}` }
    const known = isEnvironmentError(error)
    this.degraded = known || name === 'Error' ? message : `${name}: ${message}`
    this.remedy = known ? error.remedy : ''
  }

  async #open(host: Host): Promise<void> {
    this.#opening = true
    try {
      this.#receiver = await this.plan.definition.open(this.plan.config as never, host)
    } finally {
      this.#opening = false
    }
    if (this.#closed) await this.close()
  }

  get isOpen(): boolean {
    return this.#receiver !== undefined
  }
  get isOpening(): boolean {
    return this.#opening
  }
  get ended(): boolean {
    try {
      return this.#receiver === undefined ? !this.#opening : (this.#receiver.ended?.() ?? false)
    } catch (error) {
      this.#fail(error)
      return false
    }
  }

  /** How often it wants to be read. */
  get everyMs(): number {
    return this.#receiver?.everyMs ?? EVERY_MS
  }

  /** `host.lost` of this receiver. */
  lost(cause: string, rows: number): void {
    this.#ledger.addLost(this.plan.id, cause, rows)
    this.#lostSaid += rows
  }

  /** Reads for one slice. @returns true when there may be more. */
  slice(take: (batch: Batch) => void): boolean {
    const startMs = performance.now()
    let more = true
    do {
      const batch = this.#next()
      if (!batch) more = false
      else take(batch)
    } while (more && performance.now() - startMs < BUDGET_MS)
    this.#account.seconds += (performance.now() - startMs) / 1000
    return more
  }

  #next(): Batch | null {
    if (!this.#receiver) return null
    let batch: Batch | null
    try {
      batch = this.#receiver.read(ROWS_MAX)
    } catch (error) {
      return this.#fail(error)
    }
    if (!batch) return null
    const mistake = batchMistake(batch, this.plan.tables)
    if (mistake !== undefined) return this.#fail(mistake)
    this.#account.rows.out += batch.length
    if (batch.textOverflow > 0) {
      this.#ledger.count(this.plan.id, 'text_overflow', batch.textOverflow)
    }
    if (batch.lost > this.#lostSaid) {
      this.#ledger.addLost(this.plan.id, 'unknown', batch.lost - this.#lostSaid)
    }
    if (batch.lost > 0) this.#lostSaid = 0
    return batch
  }

  /** One kind of failure is one line a minute, however much its words differ. */
  #fail(error: unknown): null {
    this.#ledger.count(this.plan.id, 'read_failed', 1)
    this.#limited.error('read failed', `read failed: ${messageOf(error)}`)
    return null
  }

  finish(): void {
    try {
      this.#receiver?.finish?.()
    } catch (error) {
      this.#log.error(`finish failed: ${messageOf(error)}`)
    }
  }

  /** Never throws, ends soon. One that is still opening is closed as soon as it is open. */
  async close(): Promise<void> {
    this.#closed = true
    const receiver = this.#receiver
    this.#receiver = undefined
    if (receiver) await closeWithin(() => receiver.close(), CLOSE_MS, this.#log)
  }
}

/** Not one receiver could be opened; the message says why for each. */
export class NothingToRead extends Error {
  override readonly name = 'EnvironmentError'
  readonly remedy: string
  constructor(readings: readonly Reading[]) {
    super(readings.map(({ plan, degraded }) => `receiver ${plan.id}: ${degraded}`).join('\n'))
    this.remedy = [...new Set(readings.map(({ remedy }) => remedy))].filter(Boolean).join('\n')
  }
}
