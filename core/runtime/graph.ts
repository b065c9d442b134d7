/**
 * The graph as it runs now: workers, branches, series, and who gets what. It carries batches; it
 * does not read receivers and keeps no time (`runtime.ts` does).
 */
import type { Batch } from '../batch.ts'
import { packBatch, unpackBatch } from '../batch.ts'
import type { Host, Log } from '../contract.ts'
import { LogLimiter } from '../log.ts'
import type { Planned, PlannedExporter } from '../plan_types.ts'
import { Branch } from './branch.ts'
import { within } from './deadline.ts'
import { Feeds } from './feeds.ts'
import { Lease } from './lease.ts'
import type { Ledger } from './ledger.ts'
import type { TaskResult, WorkerDefinition } from './messages.ts'
import { namedError } from './named_error.ts'
import type { Routes } from './routes.ts'
import { SeriesBooks } from './series_books.ts'
import { WorkerLink } from './worker_link.ts'

/** A worker that has not answered for this long is not ready. */
const SILENCE_MAX_MS = 10_000

export interface GraphOptions {
  readonly ledger: Ledger
  readonly log: (id: string) => Log
  readonly host: (planned: Planned) => Host
}

export class Graph {
  routes: Routes
  readonly branches = new Map<string, Branch>()
  readonly links = new Map<string, WorkerLink>()
  readonly feeds: Feeds
  readonly #options: GraphOptions
  readonly #books = new SeriesBooks()
  /** A stage that throws at every batch says so once a minute. */
  readonly #limiters = new Map<string, LogLimiter>()

  constructor(routes: Routes, options: GraphOptions) {
    this.routes = routes
    this.#options = options
    this.feeds = new Feeds(options)
  }

  async openBranch(planned: PlannedExporter): Promise<Branch> {
    const host = this.#options.host(planned)
    const open = (plan: PlannedExporter) => plan.definition.open(plan.config as never, host)
    try {
      return new Branch(planned, await open(planned), open, this.#options.log(planned.id))
    } catch (error) {
      throw namedError('exporter', planned.id, error)
    }
  }

  /**
   * A worker with its stages open. @throws what a stage's `open` threw; nothing is left running
   * then.
   */
  async openLink(name: string, definition: WorkerDefinition): Promise<WorkerLink> {
    const { ledger, log } = this.#options
    const link = new WorkerLink(name, definition, ledger, log('service'), {
      result: result => this.#takeResult(result),
      died: dictionaries => {
        for (const dictionary of dictionaries) this.#books.restart(dictionary)
      },
    })
    this.feeds.listen(link)
    try {
      await link.start(Date.now())
      return link
    } catch (error) {
      await this.closeLinks([link], 0)
      throw error
    }
  }

  /**
   * Somebody downstream has no room: the kernel's own queue is the next one, and it counts what it
   * loses.
   */
  paused(receiver: string): boolean {
    if (this.congested(receiver)) return true
    for (const name of this.routes.exportersBehind(receiver)) {
      if (this.branches.get(name)?.full) return true
    }
    return false
  }

  /** A worker that its rows go through has no room. */
  congested(receiver: string): boolean {
    for (const name of this.routes.workersBehind(receiver)) {
      if (this.links.get(name)?.full) return true
    }
    return false
  }

  fromReceiver(receiver: string, batch: Batch): void {
    this.#dispatch(batch, this.routes.fromReceiver(receiver))
  }

  /** A sentence for each worker that has not answered lately. */
  get silent(): string[] {
    return [...this.links.values()].flatMap(({ name, answeredMs }) => {
      const ms = performance.now() - answeredMs
      const seconds = Math.round(ms / 1000)
      return ms > SILENCE_MAX_MS
        ? `pipelines of worker ${name} have not ticked for ${seconds} s`
        : []
    })
  }

  /** No worker has anything to do but to let time pass. */
  get idle(): boolean {
    return ![...this.links.values()].some(link => link.waiting || link.lively)
  }

  /** Hand-offs that are worth it before the second is over. */
  handOffFull(): void {
    for (const link of this.links.values()) if (link.soon && !link.busy) link.handOff(Date.now())
  }

  handOffAll(): void {
    for (const { dictionary, ids } of this.#books.takeReleased()) {
      for (const link of this.links.values()) {
        if (link.dictionaries.includes(dictionary)) link.release(dictionary, [...ids])
      }
    }
    for (const link of this.links.values()) link.handOff(Date.now())
  }

  /** Waits for all hand-offs under way: what they bring back may be for a worker that is to end. */
  async settleLinks(deadlineMs: number): Promise<void> {
    await Promise.all([...this.links.values()].map(link => link.settle(deadlineMs)))
  }

  /**
   * These workers' stages put out all they hold. What one puts out may be for another: rounds go on
   * until nothing waits, at most one for each pipeline, or until `deadlineMs` (performance.now).
   */
  async finishLinks(links: readonly WorkerLink[], deadlineMs: number): Promise<void> {
    const roundsMax = links.reduce((sum, link) => sum + link.definition.pipelines.length, 1)
    for (let round = 0; round < roundsMax; round++) {
      for (const link of links) {
        if (round > 0 && !link.waiting) continue
        const finished = link.finish(Date.now())
        if (!(await within(finished, deadlineMs - performance.now()))) await link.close(deadlineMs)
      }
    }
    await this.closeLinks(links, deadlineMs)
  }

  async closeLinks(links: readonly WorkerLink[], deadlineMs: number): Promise<void> {
    for (const link of links) this.feeds.unlisten(link)
    await Promise.all(links.map(link => link.close(deadlineMs)))
  }

  /** After a reload: series of stages and ways that are no more leave the exporters. */
  retireSeries(): void {
    const dictionaries = [...this.links.values()].flatMap(link => link.dictionaries)
    this.#books.keep(this.routes.branchRoutes(), new Set(dictionaries))
  }

  /**
   * Gives a batch to these pipelines: to workers where they have stages, else to their exporters
   * and readers.
   */
  #dispatch(batch: Batch, pipelines: readonly string[]): void {
    const workers = new Map<string, string[]>()
    const lease = new Lease(batch)
    let kept = false
    const visit = (name: string) => {
      const worker = this.routes.workerOf(name)
      if (worker === null) {
        kept = this.#deliver(name, batch, lease) || kept
        for (const reader of this.routes.readersOnMain(name)) visit(reader)
        return
      }
      const list = workers.get(worker)
      if (list) list.push(name)
      else workers.set(worker, [name])
    }
    for (const name of pipelines) visit(name)
    this.#toWorkers(batch, workers, kept)
    // Otherwise the last worker has the buffer itself.
    if (kept || workers.size === 0) lease.drop()
  }

  /**
   * All consumers but the last get a copy; a batch that an exporter's queue keeps is copied for
   * every worker.
   */
  #toWorkers(batch: Batch, workers: Map<string, string[]>, kept: boolean): void {
    let left = workers.size
    for (const [worker, pipelines] of workers) {
      left--
      this.links.get(worker)?.add(batch, pipelines, kept || left > 0)
    }
  }

  /**
   * Offers a batch that left a pipeline to its exporters. @returns true when one of them keeps it.
   */
  #deliver(pipeline: string, batch: Batch, lease: Lease): boolean {
    let kept = false
    for (const id of this.routes.pipeline(pipeline).exporters) {
      const branch = this.branches.get(id)
      if (!branch?.wants(batch)) continue
      const series = this.#books.view(pipeline, id, batch)
      branch.offer(batch, series, this.#options.ledger.account('exporter', id, pipeline), lease)
      kept = true
    }
    return kept
  }

  #takeResult(result: TaskResult): void {
    const { ledger, log } = this.#options
    for (const news of result.news) this.#books.apply(news, this.branches.values())
    for (const { pipeline, id, rows, seconds } of result.rows) {
      const account = ledger.account('processor', id, pipeline)
      for (const [outcome, n] of Object.entries(rows) as [keyof typeof rows, number][]) {
        account.rows[outcome] = outcome === 'held' ? n : account.rows[outcome] + n
      }
      account.seconds += seconds
    }
    for (const { id, name, n } of result.events) ledger.count(id, name, n)
    for (const { id, level, message, fields, key } of result.logs) {
      if (level === 'error') this.#limiter(id).error(key ?? message, message, fields)
      else log(id)[level](message, fields)
    }
    for (const { pipelines, batch } of result.outputs) this.#returned(pipelines, unpackBatch(batch))
  }

  #limiter(id: string): LogLimiter {
    let limiter = this.#limiters.get(id)
    if (!limiter) {
      limiter = new LogLimiter(this.#options.log(id))
      this.#limiters.set(id, limiter)
    }
    return limiter
  }

  #returned(pipelines: readonly string[], batch: Batch): void {
    this.#books.update(batch)
    const lease = new Lease(batch)
    let kept = false
    for (const name of pipelines) kept = this.#deliver(name, batch, lease) || kept
    const onward = pipelines.flatMap(name => this.routes.readersOnMain(name))
    if (onward.length > 0) {
      // An exporter of the upstream pipeline may still read this buffer: what goes on is a copy.
      this.#dispatch(kept ? unpackBatch(packBatch(batch, true)) : batch, onward)
    }
    if (kept || onward.length === 0) lease.drop()
  }
}
