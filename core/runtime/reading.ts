/**
 * One receiver at run time: opened, read in slices of 10 ms, closed. A receiver that fails to open
 * is degraded with a plain sentence; one that throws while read loses nothing but that call.
 */
import type { Batch } from '../batch.ts'
import type { Host, Log, Receiver } from '../contract.ts'
import { LogLimiter } from '../log.ts'
import type { PlannedReceiver } from '../plan_types.ts'
import type { Account, Ledger } from './ledger.ts'

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
  #lostSaid = 0

  constructor(plan: PlannedReceiver, ledger: Ledger, log: Log) {
    this.plan = plan
    this.#ledger = ledger
    this.#log = log
    this.#limited = new LogLimiter(log)
    this.#account = ledger.account('receiver', plan.id)
  }

  /** @throws what the receiver's `open` threw. */
  async open(host: Host): Promise<void> {
    this.#receiver = await this.plan.definition.open(this.plan.config as never, host)
  }

  get isOpen(): boolean {
    return this.#receiver !== undefined
  }
  get ended(): boolean {
    return this.#receiver === undefined || (this.#receiver.ended?.() ?? false)
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
      this.#ledger.count(this.plan.id, 'read_failed', 1)
      const message = error instanceof Error ? error.message : String(error)
      this.#limited.error(message, `read failed: ${message}`)
      return null
    }
    if (!batch) return null
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

  finish(): void {
    try {
      this.#receiver?.finish?.()
    } catch (error) {
      this.#log.error(`finish failed: ${error instanceof Error ? error.message : error}`)
    }
  }

  async close(): Promise<void> {
    const receiver = this.#receiver
    this.#receiver = undefined
    try {
      await receiver?.close()
    } catch (error) {
      this.#log.error(`close failed: ${error instanceof Error ? error.message : error}`)
    }
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
