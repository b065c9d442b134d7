/**
 * The feeds of processors: what they send goes to every worker that runs the processor, and their
 * whole state to a worker that starts. One runs for each processor id; a reload that changes the
 * options starts another and ends the first when nothing uses it any more.
 */
import type { Feed, Host, Log } from '../contract.ts'
import { LogLimiter } from '../log.ts'
import type { Planned, PlannedProcessor } from '../plan_types.ts'
import { closeWithin, within } from './deadline.ts'
import { isSame } from './same.ts'
import type { WorkerLink } from './worker_link.ts'

/** How long the start waits for a feed to begin, and the end for it to close. */
const START_MS = 5000
const CLOSE_MS = 1000

interface Running {
  readonly planned: PlannedProcessor
  readonly feed: Feed
  readonly limited: LogLimiter
  closed: boolean
}

export interface FeedsOptions {
  readonly log: (id: string) => Log
  readonly host: (planned: Planned) => Host
}

export class Feeds {
  readonly #options: FeedsOptions
  readonly #running = new Map<string, Running>()
  /** What newer ones took the place of since `settle` or `undo`. */
  #before = new Map<string, Running | undefined>()
  /** Workers that get what feeds send: also those that are only just starting. */
  readonly #listening = new Set<WorkerLink>()

  constructor(options: FeedsOptions) {
    this.#options = options
  }

  /** Starts those that these processors need and that do not run with the same options yet. */
  async start(processors: readonly PlannedProcessor[]): Promise<void> {
    for (const planned of processors) {
      const before = this.#running.get(planned.id)
      if (!planned.definition.feed || (before && isSame(planned, [before.planned]))) continue
      const feed = planned.definition.feed(planned.config as never, this.#options.host(planned))
      const log = this.#options.log(planned.id)
      const running = { planned, feed, limited: new LogLimiter(log), closed: false }
      this.#before.set(planned.id, before)
      this.#running.set(planned.id, running)
      const started = feed.start(buffer => this.#send(running, buffer))
      if (await within(Promise.resolve(started), START_MS)) continue
      log.warn(`its feed has not begun in ${START_MS / 1000} s; the start goes on without`)
      Promise.resolve(started).catch(error => log.error(`its feed failed: ${error}`))
    }
  }

  /** From now on this worker gets what the feeds of its processors send. */
  listen(link: WorkerLink): void {
    this.#listening.add(link)
    for (const id of link.processors) {
      const running = this.#running.get(id)
      if (running) link.addFeed(id, running.feed)
    }
  }

  unlisten(link: WorkerLink): void {
    this.#listening.delete(link)
  }

  #send(from: Running, buffer: ArrayBuffer): void {
    if (from.closed) return
    if (!(buffer instanceof ArrayBuffer) || buffer.detached) {
      const what = 'its feed sent what is no ArrayBuffer, or one that it had sent before; left out'
      from.limited.error('feed', what)
      return
    }
    const { id } = from.planned
    const links = [...this.#listening].filter(link => link.feed(id) === from.feed)
    // A copy even for the last: the feed may send the same buffer again before this one has gone.
    for (const link of links) link.update(id, buffer.slice(0))
  }

  /** The new graph runs: closes what it does not need. */
  async settle(keep: ReadonlySet<string>): Promise<void> {
    const old = [...this.#before.values()].filter(running => running !== undefined)
    this.#before = new Map()
    for (const [id, running] of this.#running) {
      if (keep.has(id)) continue
      this.#running.delete(id)
      old.push(running)
    }
    await this.#close(old)
  }

  /** The new graph could not be built: what was started for it ends, what ran before goes on. */
  async undo(): Promise<void> {
    const news: Running[] = []
    for (const [id, before] of this.#before) {
      const running = this.#running.get(id)
      if (running) news.push(running)
      if (before) this.#running.set(id, before)
      else this.#running.delete(id)
    }
    this.#before = new Map()
    await this.#close(news)
  }

  async #close(list: readonly Running[]): Promise<void> {
    for (const running of list) running.closed = true
    const log = (id: string) => this.#options.log(id)
    await Promise.all(
      list.map(({ feed, planned }) => closeWithin(() => feed.close(), CLOSE_MS, log(planned.id))),
    )
  }
}
