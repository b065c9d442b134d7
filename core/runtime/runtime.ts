/**
 * The running graph: one shared tick that reads receivers, hands batches to workers, spreads what comes back
 * over the exporters' branches, and ends in one sequence in which nothing is left behind.
 */
import type { Batch } from '../batch.ts'
import { unpackBatch } from '../batch.ts'
import type { Feed, Host, Log } from '../contract.ts'
import { isEnvironmentError } from '../errors.ts'
import type { Plan, Planned, PlannedReceiver } from '../plan_types.ts'
import { Branch } from './branch.ts'
import type { Ledger } from './ledger.ts'
import type { TaskResult } from './messages.ts'
import { Reading } from './reading.ts'
import { Routes } from './routes.ts'
import { SeriesBooks } from './series_books.ts'
import { WorkerLink } from './worker_link.ts'

/** The one timer: receivers are read this often, workers get what has gathered every fifth time. */
const TICK_MS = 200
const TICKS_PER_HAND_OFF = 5

export interface RuntimeOptions {
  readonly log: (id: string) => Log
  /** A component's host; `lost` is what a receiver's losses are told to. */
  readonly host: (planned: Planned, lost: (cause: string, rows: number) => void) => Host
}

export class Runtime {
  readonly ledger: Ledger
  readonly #plan: Plan
  readonly #options: RuntimeOptions
  readonly #routes: Routes
  readonly #books = new SeriesBooks()
  readonly #links = new Map<string, WorkerLink>()
  readonly #feeds: Feed[] = []
  readonly branches = new Map<string, Branch>()
  readonly readings: readonly Reading[]
  readonly #log: Log
  #timer: NodeJS.Timeout | undefined
  #ticks = 0
  #stopped = false
  #lastHandOffMs = 0
  #onEnded: (() => void) | undefined

  constructor(plan: Plan, ledger: Ledger, options: RuntimeOptions) {
    this.#plan = plan
    this.ledger = ledger
    this.#options = options
    this.#routes = new Routes(plan)
    this.#log = options.log('service')
    this.readings = plan.receivers.map(
      receiver => new Reading(receiver, ledger, options.log(receiver.id)),
    )
  }

  /** Opens exporters, workers, feeds and receivers, in this order. @throws what makes a start senseless. */
  async start(onEnded: () => void): Promise<void> {
    this.#onEnded = onEnded
    for (const planned of this.#plan.exporters) {
      const host = this.#options.host(planned, () => undefined)
      const exporter = await planned.definition.open(planned.config as never, host)
      this.branches.set(planned.id, new Branch(planned, exporter, this.#options.log(planned.id)))
    }
    for (const [name, definition] of this.#routes.workers()) {
      const link = new WorkerLink(name, definition, this.ledger, this.#log, {
        result: result => this.#takeResult(result),
        died: dictionaries => {
          for (const dictionary of dictionaries) this.#books.restart(dictionary)
        },
      })
      this.#links.set(name, link)
    }
    await this.#startFeeds()
    const nowMs = Date.now()
    await Promise.all([...this.#links.values()].map(link => link.start(nowMs)))
    this.#lastHandOffMs = performance.now()
    await Promise.all(this.readings.map(reading => this.#openReceiver(reading)))
    if (this.readings.length > 0 && !this.readings.some(reading => reading.isOpen)) {
      throw new NothingToRead(this.readings)
    }
    this.#timer = setTimeout(() => this.#tick(), 0)
  }

  async #startFeeds(): Promise<void> {
    for (const planned of this.#plan.processors) {
      const { feed: makeFeed } = planned.definition
      const links = [...this.#links.values()].filter(link => link.processors.has(planned.id))
      if (!makeFeed || links.length === 0) continue
      const host = this.#options.host(planned, () => undefined)
      const feed = makeFeed.call(planned.definition, planned.config as never, host)
      this.#feeds.push(feed)
      for (const link of links) link.addFeed(planned.id, feed)
      await feed.start(buffer => {
        for (let at = 0; at < links.length; at++) {
          const last = at === links.length - 1
          links[at].update(planned.id, last ? buffer : buffer.slice(0))
        }
      })
    }
  }

  async #openReceiver(reading: Reading): Promise<void> {
    const { plan } = reading
    try {
      await reading.open(this.#options.host(plan, (cause, rows) => reading.lost(cause, rows)))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      reading.degraded = message
      if (plan.required || !isEnvironmentError(error)) throw error
      this.#options.log(plan.id).warn(`receiver not open, the others run: ${message}`, {
        remedy: error.remedy,
      })
    }
  }

  /** True when every required receiver is open and every worker answered lately. */
  ready(): { ok: boolean; reasons: string[] } {
    const reasons: string[] = []
    if (this.#timer === undefined) reasons.push('not started')
    for (const { plan, isOpen, degraded } of this.readings) {
      if (plan.required && !isOpen) reasons.push(`receiver ${plan.id}: ${degraded ?? 'not open'}`)
    }
    const silentMs = performance.now() - this.#lastHandOffMs
    if (this.#links.size > 0 && silentMs > 10_000) {
      reasons.push(`pipelines have not ticked for ${Math.round(silentMs / 1000)} s`)
    }
    return { ok: reasons.length === 0, reasons }
  }

  #tick(): void {
    if (this.#stopped) return
    this.#ticks++
    this.#read(this.readings.filter(reading => reading.isOpen))
    if (this.#ticks % TICKS_PER_HAND_OFF === 0) this.#handOffAll()
    if (this.readings.length > 0 && this.readings.every(reading => reading.ended)) {
      this.#onEnded?.()
      return
    }
    this.#timer = setTimeout(() => this.#tick(), TICK_MS)
  }

  /** One slice of each; those with more go on after the event loop had its turn. */
  #read(readings: readonly Reading[]): void {
    if (this.#stopped) return
    const unfinished = readings.filter(
      reading =>
        !this.#paused(reading.plan) &&
        reading.slice(batch => this.#fromReceiver(reading.plan, batch)),
    )
    this.#handOffFull()
    if (unfinished.length > 0) setImmediate(() => this.#read(unfinished))
  }

  /** Somebody downstream has no room: the kernel's own queue is the next one, and it counts what it loses. */
  #paused({ id }: PlannedReceiver): boolean {
    for (const name of this.#routes.workersBehind(id)) if (this.#links.get(name)?.full) return true
    for (const name of this.#routes.exportersBehind(id)) {
      if (this.branches.get(name)?.full) return true
    }
    return false
  }

  #handOffFull(): void {
    for (const link of this.#links.values()) if (link.soon && !link.busy) this.#handOff(link)
  }

  #handOffAll(): void {
    for (const { dictionary, ids } of this.#books.takeReleased()) {
      for (const link of this.#links.values()) {
        if (link.hasDictionary(dictionary)) link.release(dictionary, [...ids])
      }
    }
    for (const link of this.#links.values()) this.#handOff(link)
  }

  #handOff(link: WorkerLink): void {
    link.handOff(Date.now())
  }

  #fromReceiver(plan: PlannedReceiver, batch: Batch): void {
    this.#dispatch(batch, this.#routes.fromReceiver(plan.id))
  }

  /** Gives a batch to these pipelines: to workers where they have stages, else to their exporters and readers. */
  #dispatch(batch: Batch, pipelines: readonly string[]): void {
    const workers = new Map<string, string[]>()
    let kept = false
    const visit = (name: string) => {
      const worker = this.#routes.workerOf(name)
      if (worker === null) {
        kept = this.#deliver(name, batch) || kept
        for (const reader of this.#routes.readersOnMain(name)) visit(reader)
        return
      }
      const list = workers.get(worker)
      if (list) list.push(name)
      else workers.set(worker, [name])
    }
    for (const name of pipelines) visit(name)
    this.#toWorkers(batch, workers, kept)
  }

  /** All consumers but the last get a copy; a batch that an exporter's queue keeps is copied for every worker. */
  #toWorkers(batch: Batch, workers: Map<string, string[]>, kept: boolean): void {
    let left = workers.size
    for (const [worker, pipelines] of workers) {
      left--
      this.#links.get(worker)?.add(batch, pipelines, kept || left > 0)
    }
  }

  /** Offers a batch that left a pipeline to its exporters. @returns true when one of them keeps it. */
  #deliver(pipeline: string, batch: Batch): boolean {
    let kept = false
    const series = this.#books.view(pipeline, batch)
    for (const id of this.#routes.pipeline(pipeline).exporters) {
      const branch = this.branches.get(id)
      if (!branch?.wants(batch)) continue
      branch.offer(batch, series, this.ledger.account('exporter', id, pipeline))
      kept = true
    }
    return kept
  }

  #takeResult(result: TaskResult): void {
    this.#lastHandOffMs = performance.now()
    for (const news of result.news) this.#books.apply(news, this.branches.values())
    for (const { pipeline, id, rows, seconds } of result.rows) {
      const account = this.ledger.account('processor', id, pipeline)
      for (const [outcome, n] of Object.entries(rows) as [keyof typeof rows, number][]) {
        account.rows[outcome] = outcome === 'held' ? n : account.rows[outcome] + n
      }
      account.seconds += seconds
    }
    for (const { id, name, n } of result.events) this.ledger.count(id, name, n)
    for (const { id, level, message, fields } of result.logs) {
      this.#options.log(id)[level](message, fields)
    }
    for (const { pipelines, batch } of result.outputs) this.#returned(pipelines, unpackBatch(batch))
  }

  #returned(pipelines: readonly string[], batch: Batch): void {
    this.#books.update(batch)
    let kept = false
    for (const name of pipelines) kept = this.#deliver(name, batch) || kept
    const onward = pipelines.flatMap(name => this.#routes.readersOnMain(name))
    if (onward.length === 0) return
    // An exporter of the upstream pipeline may still read this buffer: what goes on is a copy.
    this.#dispatch(kept ? copyOf(batch) : batch, onward)
  }

  /** Reads once more, closes receivers, lets stages put out all they hold, drains exporters within the deadline. */
  async stop(): Promise<void> {
    const deadlineMs = performance.now() + this.#plan.service.shutdown_timeout
    clearTimeout(this.#timer)
    for (const reading of this.readings) reading.finish()
    this.#drainReceivers(deadlineMs)
    this.#stopped = true
    await Promise.all(this.readings.map(reading => reading.close()))
    await Promise.all(this.#feeds.map(feed => feed.close()))
    await this.#finishWorkers()
    await Promise.all([...this.branches.values()].map(branch => branch.drain(deadlineMs)))
  }

  /**
   * Stages put out all they hold. What one worker puts out may be for another: rounds go on until nothing waits, at
   * most one for each pipeline.
   */
  async #finishWorkers(): Promise<void> {
    for (let round = 0; round <= this.#plan.pipelines.length; round++) {
      for (const link of this.#links.values()) {
        if (round === 0 || link.waiting) await link.finish(Date.now())
      }
    }
    await Promise.all([...this.#links.values()].map(link => link.close()))
  }

  #drainReceivers(deadlineMs: number): void {
    let rest = this.readings.filter(reading => reading.isOpen)
    while (rest.length > 0 && performance.now() < deadlineMs) {
      rest = rest.filter(reading => reading.slice(batch => this.#fromReceiver(reading.plan, batch)))
    }
  }
}

function copyOf(batch: Batch): Batch {
  return unpackBatch({ ...batch, buffer: batch.buffer.slice(0) })
}

/** Not one receiver could be opened; `degraded` of each says why. */
export class NothingToRead extends Error {
  override readonly name = 'EnvironmentError'
  readonly remedy: string
  constructor(readings: readonly Reading[]) {
    super(
      readings.map(({ plan, degraded }) => `receiver ${plan.id}: ${degraded}`).join('\n') ||
        'no receiver',
    )
    this.remedy = ''
  }
}
