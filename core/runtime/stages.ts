/**
 * The worker's half of the graph: stages in order, batches by reference between joined pipelines.
 *
 * Everything here is synchronous. Time, look-up changes and batches come in with one task, batches,
 * counts and words for the log go out with its result. A stage that throws loses that one batch,
 * counted as failed.
 */
import type { Batch } from '../batch.ts'
import { packBatch, unpackBatch } from '../batch.ts'
import type { LogFields, ProcessorDefinition, ProcessorHost, Stage } from '../contract.ts'
import { batchMistake, rowsSaid } from './batch_mistake.ts'
import type {
  RoutedBatch,
  StageLog,
  StageRows,
  Task,
  TaskResult,
  WorkerDefinition,
  WorkerStage,
} from './messages.ts'
import { noRows } from './messages.ts'
import { SeriesRecorder } from './series_recorder.ts'

/** Logs kept of one task; a stage that says more is cut short. */
const LOGS_MAX = 100

export class StageGraph {
  readonly #pipelines: PipelineRun[]
  readonly #byName = new Map<string, PipelineRun>()
  readonly #outputs = new Map<Batch, string[]>()
  readonly #events = new Map<string, Map<string, number>>()
  #logs: StageLog[] = []

  /** @param definitions by processor type. */
  constructor(definition: WorkerDefinition, definitions: Map<string, ProcessorDefinition>) {
    this.#pipelines = definition.pipelines.map(plan => {
      const stages = plan.stages.map(stage => {
        const processor = definitions.get(stage.type)
        if (!processor) throw new Error(`processor ${stage.type} is not loaded`)
        return this.#open(stage, processor)
      })
      return { name: plan.name, stages, readers: plan.readers, returned: plan.returned }
    })
    for (const pipeline of this.#pipelines) this.#byName.set(pipeline.name, pipeline)
  }

  #open(plan: WorkerStage, definition: ProcessorDefinition): StageRun {
    const rows = noRows()
    const series = new SeriesRecorder(plan.dictionary)
    const log =
      (level: StageLog['level']) =>
      (message: string, fields: LogFields = {}) => {
        if (this.#logs.length < LOGS_MAX) this.#logs.push({ id: plan.id, level, message, fields })
      }
    const host: ProcessorHost = {
      id: plan.id,
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      count: (name, n) => {
        if (name === 'filtered' || name === 'folded' || name === 'created') rows[name] += n
        else this.#count(plan.id, name, n)
      },
      series,
    }
    const stage = definition.open(plan.accepts, plan.config as never, host)
    return { plan, stage, series, rows, seconds: 0 }
  }

  #count(id: string, name: string, n: number): void {
    let counts = this.#events.get(id)
    if (!counts) {
      counts = new Map()
      this.#events.set(id, counts)
    }
    counts.set(name, (counts.get(name) ?? 0) + n)
  }

  run(task: Task): TaskResult {
    this.#applyUpdates(task)
    for (const { pipelines, batch } of task.inputs) {
      const unpacked = unpackBatch(batch)
      for (const name of pipelines) this.#enter(name, unpacked)
    }
    for (const pipeline of this.#pipelines) {
      for (let at = 0; at < pipeline.stages.length; at++) {
        this.#tick(pipeline, at, task.nowMs, task.final)
      }
    }
    return this.#result(task)
  }

  #applyUpdates(task: Task): void {
    for (const { dictionary, ids } of task.released) {
      for (const { stages } of this.#pipelines) {
        for (const { series } of stages) if (series.dictionary === dictionary) series.release(ids)
      }
    }
    for (const { id, buffer } of task.updates) {
      for (const { stages } of this.#pipelines) {
        for (const run of stages) if (run.plan.id === id) this.#update(run, buffer)
      }
    }
  }

  #update(run: StageRun, buffer: ArrayBuffer): void {
    try {
      run.stage.update?.(buffer)
    } catch (error) {
      this.#fail(run, 0, error)
    }
  }

  #enter(name: string, batch: Batch): void {
    const pipeline = this.#byName.get(name)
    if (pipeline) this.#through(pipeline, 0, batch)
  }

  /** Carries a batch through the stages from `at` on, then to all that read the pipeline. */
  #through(pipeline: PipelineRun, at: number, batch: Batch): void {
    for (let next = at; next < pipeline.stages.length; next++) {
      const run = pipeline.stages[next]
      if (!(batch.table in run.plan.accepts)) continue
      run.rows.in += batch.length
      const put = this.#timed(run, batch.length, () => run.stage.process(batch))
      this.#onward(pipeline, next, put)
      return
    }
    for (const reader of pipeline.readers) this.#enter(reader, batch)
    if (pipeline.returned) this.#return(pipeline.name, batch)
  }

  /** One batch may leave a pipeline twice: given out twice, or come by two ways of a join. */
  #return(name: string, batch: Batch): void {
    const names = this.#outputs.get(batch)
    if (!names) this.#outputs.set(batch, [name])
    else if (!names.includes(name)) names.push(name)
    else this.#outputs.set({ ...batch }, [name])
  }

  #onward(pipeline: PipelineRun, at: number, put: Put): void {
    if (put === null || put === undefined) return
    const batches = Array.isArray(put) ? (put as readonly Batch[]) : [put as Batch]
    const run = pipeline.stages[at]
    for (const batch of batches) {
      const mistake = batchMistake(batch, run.plan.tablesOut)
      if (mistake !== undefined) {
        this.#fail(run, rowsSaid(batch), mistake)
        continue
      }
      run.rows.out += batch.length
      this.#through(pipeline, at + 1, batch)
    }
  }

  #tick(pipeline: PipelineRun, at: number, nowMs: number, final: boolean): void {
    const run = pipeline.stages[at]
    if (!run.stage.tick) return
    this.#onward(
      pipeline,
      at,
      this.#timed(run, 0, () => run.stage.tick?.(nowMs, final)),
    )
  }

  /** Runs a stage's own code on the clock; a throw counts the rows it was given as failed. */
  #timed(run: StageRun, rowsGiven: number, call: () => Put): Put {
    const startMs = performance.now()
    try {
      return call()
    } catch (error) {
      this.#fail(run, rowsGiven, error)
      return null
    } finally {
      run.seconds += (performance.now() - startMs) / 1000
    }
  }

  #fail(run: StageRun, rows: number, error: unknown): void {
    run.rows.failed += rows
    if (this.#logs.length >= LOGS_MAX) return
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const text = `stage failed: ${message.split('\n').slice(0, 3).join(' ')}`
    const key = 'stage failed'
    this.#logs.push({ id: run.plan.id, level: 'error', message: text, fields: { rows }, key })
  }

  #result(task: Task): TaskResult {
    const rows: StageRows[] = []
    for (const pipeline of this.#pipelines) {
      for (const run of pipeline.stages) {
        run.rows.held = run.stage.held?.() ?? 0
        rows.push({
          pipeline: pipeline.name,
          id: run.plan.id,
          rows: { ...run.rows },
          seconds: run.seconds,
        })
        Object.assign(run.rows, noRows())
        run.seconds = 0
      }
    }
    const events = [...this.#events].flatMap(([id, counts]) =>
      [...counts].map(([name, n]) => ({ id, name, n })),
    )
    this.#events.clear()
    const logs = this.#logs
    this.#logs = []
    const news = this.#pipelines.flatMap(({ stages }) =>
      stages.flatMap(({ series }) => series.take() ?? []),
    )
    const { outputs, spares } = this.#takeBuffers(task)
    return { outputs, spares, news, rows, events, logs }
  }

  /**
   * Everything that goes back by transfer. Two batches over one buffer (a stage renamed a table)
   * cannot both be transferred: the second is copied.
   */
  #takeBuffers(task: Task): { outputs: RoutedBatch[]; spares: ArrayBuffer[] } {
    const buffers = new Set<ArrayBuffer>()
    const outputs: RoutedBatch[] = []
    for (const [batch, pipelines] of this.#outputs) {
      outputs.push({ pipelines, batch: packBatch(batch, buffers.has(batch.buffer)) })
      buffers.add(batch.buffer)
    }
    this.#outputs.clear()
    const inputs = task.inputs.map(({ batch }) => batch.buffer)
    return { outputs, spares: inputs.filter(buffer => !buffers.has(buffer)) }
  }
}

type Put = Batch | readonly Batch[] | null | undefined

interface PipelineRun {
  readonly name: string
  readonly stages: readonly StageRun[]
  readonly readers: readonly string[]
  readonly returned: boolean
}

interface StageRun {
  readonly plan: WorkerStage
  readonly stage: Stage
  readonly series: SeriesRecorder
  readonly rows: ReturnType<typeof noRows>
  seconds: number
}
