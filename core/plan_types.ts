/**
 * The plan: what a checked configuration means, ready to be built. `core/plan.ts` makes it, the
 * runtime carries it out, `fovea check` prints it. Everything in it but the definitions is plain,
 * frozen data.
 */
import type { Columns, Tables } from './batch.ts'
import type { ExporterDefinition, ProcessorDefinition, ReceiverDefinition } from './contract.ts'
import type { Problem } from './errors.ts'

export interface Plan {
  readonly receivers: readonly PlannedReceiver[]
  /** Processors by id, whatever number of pipelines use them: a feed runs once per id. */
  readonly processors: readonly PlannedProcessor[]
  readonly exporters: readonly PlannedExporter[]
  /** Sorted so that a pipeline comes after those that it reads. */
  readonly pipelines: readonly PlannedPipeline[]
  /** Checked entries of `plugins:`; the worker loads them again. */
  readonly plugins: readonly string[]
  readonly service: ServiceConfig
  /** Things that are legal but surely not meant, such as a component used nowhere. */
  readonly warnings: readonly Problem[]
}

export interface Planned {
  /** `type` or `type/name`. */
  readonly id: string
  readonly type: string
  /** Validated, with defaults, durations in milliseconds, sizes in bytes; frozen. */
  readonly config: Readonly<Record<string, unknown>>
  /** Absolute path of the component's folder, for `host.asset`. */
  readonly folder: string
}

export interface PlannedReceiver extends Planned {
  readonly definition: ReceiverDefinition
  readonly tables: Tables
  /** `required: true`: the agent does not start without it. */
  readonly required: boolean
}

export interface PlannedProcessor extends Planned {
  readonly definition: ProcessorDefinition
}

export interface PlannedExporter extends Planned {
  readonly definition: ExporterDefinition
  /** A table that has all columns of any of these is delivered. */
  readonly needs: readonly Columns[]
  readonly queue: QueueConfig
  readonly retry: RetryConfig
  /** Deadline of one attempt, milliseconds; 0 none. */
  readonly timeoutMs: number
}

export interface PlannedPipeline {
  readonly name: string
  /** Worker that runs its stages: `default` unless the YAML says `worker: name`. */
  readonly worker: string
  readonly receivers: readonly string[]
  /** Names of the pipelines that it reads. */
  readonly pipelines: readonly string[]
  readonly stages: readonly PlannedStage[]
  readonly exporters: readonly string[]
  readonly tablesIn: Tables
  readonly tablesOut: Tables
}

export interface PlannedStage {
  /** Processor id. */
  readonly id: string
  /** Tables that its `plan` accepted; all others of the pipeline pass it untouched. */
  readonly accepts: Tables
  readonly tablesOut: Tables
}

/** `sending_queue` of an exporter. */
export interface QueueConfig {
  readonly sizer: 'bytes' | 'items' | 'requests'
  /** In units of `sizer`. */
  readonly queue_size: number
  readonly overflow: 'drop_oldest' | 'drop_newest' | 'block'
}

/** `retry_on_failure` of an exporter; times in milliseconds, the Collector's names and defaults. */
export interface RetryConfig {
  readonly enabled: boolean
  readonly initial_interval: number
  readonly max_interval: number
  /** 0: for ever. */
  readonly max_elapsed_time: number
  readonly multiplier: number
  readonly randomization_factor: number
}

export interface ServiceConfig {
  /** From SIGTERM to the end, milliseconds. */
  readonly shutdown_timeout: number
  readonly telemetry: {
    /** `host:port` of /metrics, /healthz, /readyz; empty: not served. */
    readonly endpoint: string
    /** OTLP gRPC endpoint for the agent's own metrics; empty: not sent. */
    readonly otlp_endpoint: string
    readonly otlp_interval: number
    readonly resource: Readonly<Record<string, string>>
  }
}
