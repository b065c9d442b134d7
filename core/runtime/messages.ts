/**
 * What passes between the main thread and a worker: plain data and transferred buffers, once a
 * second.
 */
import type { BatchMessage, Tables } from '../batch.ts'
import type { LogFields } from '../contract.ts'
import type { SeriesNews } from '../series.ts'
import type { Outcome } from './ledger.ts'

/** What a worker runs. Sent with the first task of every worker thread. */
export interface WorkerDefinition {
  readonly plugins: readonly string[]
  /** In the order of the plan: a pipeline comes after those that it reads. */
  readonly pipelines: readonly WorkerPipeline[]
}

export interface WorkerPipeline {
  readonly name: string
  readonly stages: readonly WorkerStage[]
  /** Pipelines of the same worker that read this one: they get its batches by reference. */
  readonly readers: readonly string[]
  /**
   * Its batches go back to the main thread: exporters or pipelines of another worker wait for them.
   */
  readonly returned: boolean
}

export interface WorkerStage {
  readonly id: string
  readonly type: string
  readonly config: Readonly<Record<string, unknown>>
  readonly accepts: Tables
  readonly tablesOut: Tables
  /** Number of this stage's series dictionary. */
  readonly dictionary: number
}

/** One hand-off to the worker. */
export interface Task {
  readonly definition?: WorkerDefinition
  readonly nowMs: number
  /** The last hand-off: every stage puts out all that it holds. */
  readonly final: boolean
  readonly updates: readonly { readonly id: string; readonly buffer: ArrayBuffer }[]
  readonly released: readonly { readonly dictionary: number; readonly ids: readonly number[] }[]
  readonly inputs: readonly RoutedBatch[]
}

/** A batch and the pipelines that it is for (in) or came out of (back). */
export interface RoutedBatch {
  readonly pipelines: readonly string[]
  readonly batch: BatchMessage
}

/** What comes back. Counts are what was added since the last hand-off; `held` is the level now. */
export interface TaskResult {
  readonly outputs: readonly RoutedBatch[]
  /** Buffers of the task's inputs that went no further: the main thread uses them again. */
  readonly spares: readonly ArrayBuffer[]
  readonly news: readonly SeriesNews[]
  readonly rows: readonly StageRows[]
  readonly events: readonly { readonly id: string; readonly name: string; readonly n: number }[]
  readonly logs: readonly StageLog[]
}

export interface StageRows {
  readonly pipeline: string
  readonly id: string
  readonly rows: Readonly<Record<Outcome, number>>
  readonly seconds: number
}

export interface StageLog {
  readonly id: string
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
  /** Errors of one key are logged once a minute; the message itself when absent. */
  readonly key?: string
}

export function noRows(): Record<Outcome, number> {
  return { in: 0, out: 0, created: 0, filtered: 0, folded: 0, held: 0, failed: 0, refused: 0 }
}
