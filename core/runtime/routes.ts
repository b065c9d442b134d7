/**
 * Who gets what: the static part of the graph, worked out once from the plan.
 *
 * A pipeline with stages lives in a worker; one without is only a name on the main thread. Joined
 * pipelines of one worker pass batches there by reference, everything else goes through the main
 * thread.
 */
import type { Plan, PlannedPipeline } from '../plan_types.ts'
import type { WorkerDefinition, WorkerPipeline, WorkerStage } from './messages.ts'

/** A number for the series dictionary of every stage; it stays until the stage is exchanged. */
export class DictionaryNumbers {
  readonly #numbers = new Map<string, number>()
  #last = 0

  of(pipeline: string, processor: string): number {
    const key = `${pipeline}\n${processor}`
    const number = this.#numbers.get(key) ?? ++this.#last
    this.#numbers.set(key, number)
    return number
  }

  /**
   * The stages of these pipelines are exchanged: what the new ones say must not mix with the old.
   */
  renew({ pipelines }: WorkerDefinition): void {
    for (const { name, stages } of pipelines) {
      for (const { id } of stages) this.#numbers.set(`${name}\n${id}`, ++this.#last)
    }
  }
}

export class Routes {
  readonly #plan: Plan
  readonly #byName: Map<string, PlannedPipeline>
  readonly #numbers: DictionaryNumbers

  constructor(plan: Plan, numbers: DictionaryNumbers) {
    this.#plan = plan
    this.#byName = new Map(plan.pipelines.map(pipeline => [pipeline.name, pipeline]))
    this.#numbers = numbers
  }

  pipeline(name: string): PlannedPipeline {
    const pipeline = this.#byName.get(name)
    if (!pipeline) throw new Error(`no pipeline ${name}`)
    return pipeline
  }

  /** Worker that runs a pipeline's stages, or null when it has none. */
  workerOf(name: string): string | null {
    const pipeline = this.pipeline(name)
    return pipeline.stages.length > 0 ? pipeline.worker : null
  }

  /** Pipelines that read a receiver. */
  fromReceiver(id: string): readonly string[] {
    return this.#plan.pipelines.filter(p => p.receivers.includes(id)).map(p => p.name)
  }

  /** Pipelines that read a pipeline, all of them. */
  #readers(name: string): readonly PlannedPipeline[] {
    return this.#plan.pipelines.filter(p => p.pipelines.includes(name))
  }

  /** Pipelines that must be fed on the main thread with what a pipeline puts out. */
  readersOnMain(name: string): readonly string[] {
    const worker = this.workerOf(name)
    return this.#readers(name)
      .filter(reader => worker === null || this.workerOf(reader.name) !== worker)
      .map(reader => reader.name)
  }

  /** Every worker and what it runs. */
  workers(): Map<string, WorkerDefinition> {
    const byWorker = new Map<string, WorkerPipeline[]>()
    for (const pipeline of this.#plan.pipelines) {
      const worker = this.workerOf(pipeline.name)
      if (worker === null) continue
      const list = byWorker.get(worker) ?? []
      byWorker.set(worker, list)
      list.push(this.#workerPipeline(pipeline, worker))
    }
    return new Map(
      [...byWorker].map(([name, pipelines]) => [name, { plugins: this.#plan.plugins, pipelines }]),
    )
  }

  #workerPipeline(pipeline: PlannedPipeline, worker: string): WorkerPipeline {
    const readers = this.#readers(pipeline.name)
    const inside = readers.filter(reader => this.workerOf(reader.name) === worker)
    return {
      name: pipeline.name,
      stages: pipeline.stages.map(({ id, accepts, tablesOut }): WorkerStage => {
        const processor = this.#plan.processors.find(planned => planned.id === id)
        if (!processor) throw new Error(`no processor ${id}`)
        const { type, config } = processor
        const dictionary = this.#numbers.of(pipeline.name, id)
        return { id, type, config, accepts, tablesOut, dictionary }
      }),
      readers: inside.map(reader => reader.name),
      returned: pipeline.exporters.length > 0 || inside.length < readers.length,
    }
  }

  /** Every way out, as `pipeline\nexporter`. */
  branchRoutes(): Set<string> {
    return new Set(
      this.#plan.pipelines.flatMap(({ name, exporters }) => exporters.map(id => `${name}\n${id}`)),
    )
  }

  /** Ids of all exporters that a receiver's rows can reach, for `overflow: block`. */
  exportersBehind(receiver: string): Set<string> {
    const found = new Set<string>()
    const visit = (name: string) => {
      for (const exporter of this.pipeline(name).exporters) found.add(exporter)
      for (const reader of this.#readers(name)) visit(reader.name)
    }
    for (const name of this.fromReceiver(receiver)) visit(name)
    return found
  }

  /** Workers that a receiver's rows can reach, however far down. */
  workersBehind(receiver: string): Set<string> {
    const found = new Set<string>()
    const visit = (name: string) => {
      const worker = this.workerOf(name)
      if (worker !== null) found.add(worker)
      for (const reader of this.#readers(name)) visit(reader.name)
    }
    for (const name of this.fromReceiver(receiver)) visit(name)
    return found
  }
}
