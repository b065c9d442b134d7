/**
 * The running agent's one timer: it reads receivers, lets batches go to workers once a second,
 * starts and stops everything in one sequence, and exchanges the parts that a new configuration
 * changed.
 */
import type { Host, Log } from '../contract.ts'
import type { Plan, Planned, PlannedExporter } from '../plan_types.ts'
import type { Branch } from './branch.ts'
import { Graph } from './graph.ts'
import type { Ledger } from './ledger.ts'
import { NothingToRead, Reading } from './reading.ts'
import { DictionaryNumbers, Routes } from './routes.ts'
import { isSame, isSameWork } from './same.ts'
import type { WorkerLink } from './worker_link.ts'

/** Bounds of the timer, which otherwise follows the receiver that wants to be read most often. */
const TICK_MIN_MS = 20
const TICK_MAX_MS = 1000
/** Workers get what has gathered this often; when all have been idle for a while, more rarely. */
const HAND_OFF_MS = 1000
const IDLE_HAND_OFF_MS = 5000
/** The last reads take no longer, however much the source still has. */
const LAST_READ_MS = 2000

export interface RuntimeOptions {
  readonly log: (id: string) => Log
  /** A component's host; `lost` is what a receiver's losses are told to. */
  readonly host: (planned: Planned, lost: (cause: string, rows: number) => void) => Host
}

export class Runtime {
  readonly ledger: Ledger
  readonly graph: Graph
  readonly #options: RuntimeOptions
  readonly #numbers = new DictionaryNumbers()
  #plan: Plan
  #readings = new Map<string, Reading>()
  #timer: NodeJS.Timeout | undefined
  #tickMs = TICK_MAX_MS
  #handOffMs = 0
  #halted = true
  #stopping = false
  #onEnded: () => void = () => undefined

  constructor(plan: Plan, ledger: Ledger, options: RuntimeOptions) {
    this.#plan = plan
    this.ledger = ledger
    this.#options = options
    this.graph = new Graph(new Routes(plan, this.#numbers), {
      ledger,
      log: options.log,
      host: planned => options.host(planned, () => undefined),
    })
  }

  /**
   * Opens exporters, feeds, workers and receivers, in this order. @throws what makes a start
   * senseless.
   */
  async start(onEnded: () => void): Promise<void> {
    this.#onEnded = onEnded
    const { graph } = this
    for (const planned of this.#plan.exporters) {
      const branch = await graph.openBranch(planned)
      if (this.#stopping) return branch.drain(0)
      graph.branches.set(planned.id, branch)
    }
    await graph.feeds.start(this.#plan.processors)
    for (const [name, definition] of graph.routes.workers()) {
      if (this.#stopping) return
      graph.links.set(name, await graph.openLink(name, definition))
    }
    if (this.#stopping) return graph.closeLinks([...graph.links.values()], 0)
    for (const planned of this.#plan.receivers)
      this.#readings.set(planned.id, this.#reading(planned))
    await Promise.all([...this.#readings.values()].map(reading => this.#openReceiver(reading)))
    if (this.#stopping) return
    const readings = [...this.#readings.values()]
    if (readings.length > 0 && !readings.some(reading => reading.isOpen || reading.isOpening)) {
      throw new NothingToRead(readings)
    }
    for (const { plan, degraded, remedy } of readings) {
      if (degraded === undefined) continue
      this.#options.log(plan.id).warn(`not open, the others run: ${degraded}`, { remedy })
    }
    this.#run()
  }

  #reading(planned: Plan['receivers'][number]): Reading {
    return new Reading(planned, this.ledger, this.#options.log(planned.id))
  }

  #openReceiver(reading: Reading): Promise<void> {
    const host = this.#options.host(reading.plan, (cause, rows) => reading.lost(cause, rows))
    return reading.open(host, () => this.#pace())
  }

  /** True when every required receiver is open and every worker answered lately. */
  ready(): { ok: boolean; reasons: string[] } {
    const reasons: string[] = []
    if (this.#halted) reasons.push('not started')
    for (const { plan, isOpen, degraded } of this.#readings.values()) {
      if (plan.required && !isOpen) reasons.push(`receiver ${plan.id}: ${degraded ?? 'not open'}`)
    }
    reasons.push(...this.graph.silent)
    return { ok: reasons.length === 0, reasons }
  }

  #run(): void {
    this.#halted = false
    this.#pace()
    this.#timer = setTimeout(() => this.#tick(), 0)
  }

  #pace(): void {
    const wishes = [...this.#readings.values()].map(reading => reading.everyMs)
    this.#tickMs = Math.max(TICK_MIN_MS, Math.min(TICK_MAX_MS, ...wishes))
  }

  #halt(): void {
    this.#halted = true
    clearTimeout(this.#timer)
  }

  #tick(): void {
    if (this.#halted) return
    const readings = [...this.#readings.values()]
    this.#read(readings.filter(reading => reading.isOpen))
    this.#handOff()
    if (readings.length > 0 && readings.every(reading => reading.ended)) {
      this.#onEnded()
      return
    }
    this.#timer = setTimeout(() => this.#tick(), this.#tickMs)
  }

  /** Half a tick early is early enough: the next tick would be late. */
  #handOff(): void {
    const sinceMs = performance.now() - this.#handOffMs + this.#tickMs / 2
    if (sinceMs < HAND_OFF_MS || (this.graph.idle && sinceMs < IDLE_HAND_OFF_MS)) return
    this.#handOffMs = performance.now()
    this.graph.handOffAll()
  }

  /** One slice of each; those with more go on after the event loop had its turn. */
  #read(readings: readonly Reading[]): void {
    if (this.#halted) return
    const unfinished = readings.filter(
      reading => !this.graph.paused(reading.plan.id) && this.#slice(reading),
    )
    this.graph.handOffFull()
    if (unfinished.length > 0) setImmediate(() => this.#read(unfinished))
  }

  #slice(reading: Reading): boolean {
    return reading.slice(batch => this.graph.fromReceiver(reading.plan.id, batch))
  }

  /**
   * The last reads of these receivers, then their end. A full worker is waited for, a full queue is
   * not: what the source holds now is gone when it is closed.
   */
  async #finishReceivers(readings: readonly Reading[], deadlineMs: number): Promise<void> {
    for (const reading of readings) reading.finish()
    const readMs = Math.min(deadlineMs, performance.now() + LAST_READ_MS)
    let rest = readings.filter(reading => reading.isOpen)
    while (rest.length > 0 && performance.now() < readMs) {
      rest = rest.filter(reading => this.graph.congested(reading.plan.id) || this.#slice(reading))
      this.graph.handOffFull()
      if (rest.length > 0) await new Promise(resolve => setImmediate(resolve))
    }
    for (const { plan } of rest) {
      this.#options.log(plan.id).warn('closed while there was more to read')
    }
    await Promise.all(readings.map(reading => reading.close()))
  }

  /**
   * Reads once more, closes receivers, lets stages put out all they hold, drains exporters within
   * the deadline.
   */
  async stop(): Promise<void> {
    this.#stopping = true
    const startMs = performance.now()
    const { shutdown_timeout } = this.#plan.service
    const deadlineMs = startMs + shutdown_timeout
    this.#halt()
    await this.#finishReceivers([...this.#readings.values()], startMs + shutdown_timeout / 3)
    await this.graph.finishLinks([...this.graph.links.values()], startMs + shutdown_timeout / 1.5)
    await this.graph.feeds.settle(new Set())
    await Promise.all([...this.graph.branches.values()].map(branch => branch.drain(deadlineMs)))
  }

  /**
   * Goes over to another plan. Everything new is built first, and only what changed is exchanged:
   * receivers and exporters with the same configuration go on, a worker is exchanged when any of
   * its pipelines changed.
   *
   * @throws what could not be built; the old graph then runs on untouched.
   */
  async reload(plan: Plan): Promise<void> {
    const { graph } = this
    const routes = new Routes(plan, this.#numbers)
    const news = await this.#build(plan, routes)
    this.#halt()
    const old = [...this.#readings.values()].filter(
      reading => !isSame(reading.plan, plan.receivers),
    )
    const deadlineMs = performance.now() + plan.service.shutdown_timeout
    await this.#finishReceivers(old, deadlineMs)
    await graph.settleLinks(deadlineMs)
    const kept = routes.workers()
    const worn = [...graph.links].filter(([name]) => news.links.has(name) || !kept.has(name))
    await graph.finishLinks(
      worn.map(([, link]) => link),
      deadlineMs,
    )
    for (const [name] of worn) graph.links.delete(name)
    for (const { plan: planned } of old) this.#readings.delete(planned.id)
    for (const [name, link] of news.links) graph.links.set(name, link)
    for (const reading of news.readings) this.#readings.set(reading.plan.id, reading)
    graph.routes = routes
    this.#plan = plan
    await graph.feeds.settle(new Set(plan.processors.map(({ id }) => id)))
    graph.retireSeries()
    this.#dropBranches(plan)
    this.#run()
  }

  /** Opens all that is new or changed; undoes it if anything fails. */
  async #build(plan: Plan, routes: Routes): Promise<News> {
    const news: News = { links: new Map(), readings: [], branches: [], exchanged: [] }
    try {
      await this.#buildParts(plan, routes, news)
      return news
    } catch (error) {
      await this.#unbuild(news)
      throw error
    }
  }

  async #buildParts(plan: Plan, routes: Routes, news: News): Promise<void> {
    const { graph } = this
    await graph.feeds.start(plan.processors)
    for (const [name, definition] of routes.workers()) {
      const running = graph.links.get(name)?.definition
      if (running && isSameWork(running, definition)) continue
      this.#numbers.renew(definition)
      const renewed = routes.workers().get(name) ?? definition
      news.links.set(name, await graph.openLink(name, renewed))
    }
    const had = [...this.#readings.values()].map(reading => reading.plan)
    for (const planned of plan.receivers) {
      if (isSame(planned, had)) continue
      const reading = this.#reading(planned)
      news.readings.push(reading)
      await this.#openReceiver(reading)
    }
    for (const planned of plan.exporters) {
      if (graph.branches.has(planned.id)) continue
      graph.branches.set(planned.id, await graph.openBranch(planned))
      news.branches.push(planned.id)
    }
    for (const planned of plan.exporters) {
      const branch = graph.branches.get(planned.id)
      if (!branch || isSame(planned, [branch.plan])) continue
      const before = branch.plan
      await branch.exchange(planned)
      news.exchanged.push({ branch, before })
    }
  }

  async #unbuild(news: News): Promise<void> {
    for (const { branch, before } of news.exchanged) await branch.exchange(before)
    await Promise.all(news.readings.map(reading => reading.close()))
    await this.graph.closeLinks([...news.links.values()], 0)
    await this.graph.feeds.undo()
    for (const id of news.branches) {
      await this.graph.branches.get(id)?.drain(0)
      this.graph.branches.delete(id)
    }
  }

  /** Exporters that the new plan does not have write what they hold, beside the running graph. */
  #dropBranches(plan: Plan): void {
    for (const [id, branch] of this.graph.branches) {
      if (plan.exporters.some(planned => planned.id === id)) continue
      this.graph.branches.delete(id)
      void branch.drain(performance.now() + plan.service.shutdown_timeout)
    }
  }
}

interface News {
  readonly links: Map<string, WorkerLink>
  readonly readings: Reading[]
  /** Ids of exporters that the old plan did not have. */
  readonly branches: string[]
  readonly exchanged: { readonly branch: Branch; readonly before: PlannedExporter }[]
}
