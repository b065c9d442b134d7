/**
 * The main thread's end of one worker: collects batches for it, hands them over at most once a
 * second (or when enough has gathered), one hand-off at a time, and starts it anew when it dies.
 *
 * A worker that dies takes what it held with it: those rows are counted as failed, its dictionaries
 * start over, and every feed's snapshot is sent to the new one.
 */
import { Piscina } from 'piscina'
import type { Batch, BatchMessage } from '../batch.ts'
import { packBatch } from '../batch.ts'
import type { Feed, Log } from '../contract.ts'
import { giveBuffer } from '../spare.ts'
import { messageOf, within } from './deadline.ts'
import type { Ledger } from './ledger.ts'
import type { RoutedBatch, Task, TaskResult, WorkerDefinition } from './messages.ts'
import { workerFile } from './worker_file.ts'

/** Gathered rows or bytes that are worth a hand-off before the second is over. */
const ROWS_SOON = 32_768
const BYTES_SOON = 8 << 20
/**
 * Gathered bytes above which the receivers of this worker are not read: the kernel's queue is the
 * next one.
 */
const BYTES_MAX = 64 << 20

/** How long after its last input a worker is still told the time every second. */
const LIVELY_MS = 60_000

export interface LinkEvents {
  result(result: TaskResult): void
  /** The worker is gone: its dictionaries are void. */
  died(dictionaries: readonly number[]): void
}

export class WorkerLink {
  readonly name: string
  readonly definition: WorkerDefinition
  readonly #ledger: Ledger
  readonly #log: Log
  readonly #events: LinkEvents
  readonly #pool: Piscina
  readonly #feeds = new Map<string, Feed>()
  #fresh = true
  #held = false
  #inputMs = 0
  #inputs: RoutedBatch[] = []
  #rows = 0
  #bytes = 0
  #updates: { id: string; buffer: ArrayBuffer }[] = []
  #released: { dictionary: number; ids: number[] }[] = []
  #running: Promise<void> | undefined
  #closed = false
  #answeredMs = performance.now()

  constructor(
    name: string,
    definition: WorkerDefinition,
    ledger: Ledger,
    log: Log,
    events: LinkEvents,
  ) {
    this.name = name
    this.definition = definition
    this.#ledger = ledger
    this.#log = log
    this.#events = events
    this.#pool = new Piscina({
      filename: workerFile(),
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      recordTiming: false,
      idleTimeout: Number.POSITIVE_INFINITY,
    })
    this.#pool.on('error', error => this.#log.error(`worker: ${error.message}`))
  }

  /** Processor ids that this worker runs. */
  get processors(): Set<string> {
    return new Set(this.definition.pipelines.flatMap(({ stages }) => stages.map(({ id }) => id)))
  }

  /** Numbers of its stages' series dictionaries. */
  get dictionaries(): number[] {
    const stages = this.definition.pipelines.flatMap(pipeline => pipeline.stages)
    return stages.map(({ dictionary }) => dictionary)
  }

  /** True when so much waits that its receivers should not be read. */
  get full(): boolean {
    return this.#bytes >= BYTES_MAX
  }
  get soon(): boolean {
    return this.#rows >= ROWS_SOON || this.#bytes >= BYTES_SOON
  }
  get waiting(): boolean {
    return this.#inputs.length > 0 || this.#updates.length > 0
  }
  /**
   * A stage holds rows, or had some not long ago and may yet have to tell of them: time matters to
   * it.
   */
  get lively(): boolean {
    return this.#held || performance.now() - this.#inputMs < LIVELY_MS
  }
  get busy(): boolean {
    return this.#running !== undefined
  }

  /** When it last answered, performance.now. */
  get answeredMs(): number {
    return this.#answeredMs
  }

  feed(id: string): Feed | undefined {
    return this.#feeds.get(id)
  }

  addFeed(id: string, feed: Feed): void {
    this.#feeds.set(id, feed)
  }

  /** Takes a batch for these of its pipelines. With `copy`, somebody else keeps the original. */
  add(batch: Batch, pipelines: readonly string[], copy: boolean): void {
    const message: BatchMessage = packBatch(batch, copy)
    this.#inputs.push({ pipelines, batch: message })
    this.#inputMs = performance.now()
    this.#rows += batch.length
    this.#bytes += message.buffer.byteLength
  }

  update(id: string, buffer: ArrayBuffer): void {
    this.#updates.push({ id, buffer })
  }

  release(dictionary: number, ids: number[]): void {
    this.#released.push({ dictionary, ids })
  }

  /**
   * Starts the worker's stages, so that the first real hand-off is not late. @throws what a stage's
   * `open` threw.
   */
  async start(nowMs: number): Promise<void> {
    this.#addSnapshots()
    this.#events.result(await this.#send(this.#task(nowMs, false)))
    this.#fresh = false
  }

  /**
   * Hands over what has gathered and lets time pass in the worker. Does nothing while a hand-off is
   * under way.
   */
  handOff(nowMs: number): void {
    this.#running ??= this.#exchange(nowMs, false).finally(() => {
      this.#running = undefined
    })
  }

  /** Waits for the hand-off that is under way, until `deadlineMs` (performance.now). */
  async settle(deadlineMs: number): Promise<void> {
    await within(Promise.resolve(this.#running), deadlineMs - performance.now())
  }

  /** The last hand-off: stages put out all that they hold. */
  async finish(nowMs: number): Promise<void> {
    await this.#running
    this.#running = this.#exchange(nowMs, true).finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  /**
   * Ends the thread. A hand-off that is under way has until `deadlineMs` (performance.now), then it
   * is cut off and its rows count as failed.
   */
  async close(deadlineMs: number): Promise<void> {
    await this.settle(deadlineMs)
    this.#closed = true
    await this.#pool.destroy()
    await this.#running
  }

  async #exchange(nowMs: number, final: boolean): Promise<void> {
    const task = this.#task(nowMs, final)
    try {
      const result = await this.#send(task)
      this.#fresh = false
      for (const buffer of result.spares) giveBuffer(buffer)
      this.#held = result.rows.some(({ rows }) => rows.held > 0)
      this.#events.result(result)
    } catch (error) {
      this.#died(task, error)
    }
  }

  #task(nowMs: number, final: boolean): Task {
    const task: Task = {
      ...(this.#fresh && { definition: this.definition }),
      nowMs,
      final,
      updates: this.#updates,
      released: this.#released,
      inputs: this.#inputs,
    }
    this.#updates = []
    this.#released = []
    this.#inputs = []
    this.#rows = 0
    this.#bytes = 0
    return task
  }

  async #send(task: Task): Promise<TaskResult> {
    const transferList = [
      ...task.inputs.map(({ batch }) => batch.buffer),
      ...task.updates.map(({ buffer }) => buffer),
    ]
    if (this.#closed) throw new Error('it does not run any more')
    // piscina's own type of this list is inferred from a signature that @types/node no longer has
    const result = await this.#pool.run(task, { transferList: transferList as never })
    this.#answeredMs = performance.now()
    return result
  }

  /** What was handed over is lost, and so is what the stages held. */
  #died(task: Task, error: unknown): void {
    const message = messageOf(error)
    let rows = 0
    for (const { pipelines, batch } of task.inputs) {
      for (const name of pipelines) {
        const stage = this.#firstStage(name, batch.table)
        if (!stage) continue
        const account = this.#ledger.account('processor', stage, name)
        account.rows.in += batch.length
        account.rows.failed += batch.length
        rows += batch.length
      }
    }
    for (const { name, stages } of this.definition.pipelines) {
      for (const { id } of stages) {
        const account = this.#ledger.account('processor', id, name)
        account.rows.failed += account.rows.held
        rows += account.rows.held
        account.rows.held = 0
      }
    }
    if (this.#closed) {
      const text = `worker ${this.name} did not end in time and was cut off`
      if (rows > 0) this.#log.error(text, { rows_lost: rows })
      return
    }
    this.#log.error(`worker ${this.name} died, starting it anew: ${message}`, { rows_lost: rows })
    this.#ledger.count(`worker/${this.name}`, 'restarts', 1)
    this.#fresh = true
    this.#released = []
    this.#events.died(this.dictionaries)
    try {
      this.#addSnapshots()
    } catch (error) {
      this.#log.error(`a feed gave no snapshot: ${messageOf(error)}`)
    }
  }

  /** Changes sent before the snapshot are part of it. */
  #addSnapshots(): void {
    this.#updates = [...this.#feeds].map(([id, feed]) => ({ id, buffer: feed.snapshot() }))
  }

  #firstStage(pipeline: string, table: string): string | undefined {
    const plan = this.definition.pipelines.find(({ name }) => name === pipeline)
    return plan?.stages.find(({ accepts }) => table in accepts)?.id
  }
}
