/**
 * The contract: all that a plugin author learns. A component is one object made by
 * `defineReceiver`, `defineProcessor` or `defineExporter`; core validates its configuration, times
 * it, counts every row on every edge, queues and retries in front of exporters, and stops
 * everything in one sequence.
 */
import type { Meter } from '@opentelemetry/api'
import type { Batch, Columns, Tables } from './batch.ts'
import type { ConfigOf, ConfigSpec } from './config_spec.ts'
import type { SeriesView, SeriesWriter } from './series.ts'

export type Stability = 'development' | 'alpha' | 'beta' | 'stable'

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}
export type LogFields = Readonly<Record<string, string | number | boolean>>

/** What every component is given, in whichever thread it runs. */
export interface StageHost {
  /** `type` or `type/name`, as in the YAML. */
  readonly id: string
  readonly log: Log
  /**
   * Adds to a counter of this component's own, shown as `fovea_component_events_total{component,
   * event}`. Three names belong to the ledger of rows: `filtered`, `folded` and `created` (see
   * core/README.md).
   */
  count(name: string, n: number): void
}

/** Main thread: receivers, exporters and feeds. */
export interface Host extends StageHost {
  /** An API meter for the component's own instruments. */
  readonly meter: Meter
  /** Aborted when the agent begins to stop. */
  readonly signal: AbortSignal
  /**
   * Absolute path of a file in the component's own folder, in a checkout and in the bundle alike.
   */
  asset(name: string): string
  /**
   * Rows that were lost before Fovea could read them, by cause:
   * `fovea_receiver_lost_total{receiver, cause}`. A batch's own `lost` is counted as cause
   * `unknown` only where it exceeds what was said here since the last batch.
   */
  lost(cause: string, rows: number): void
  /** What the agent itself is and costs, for a `console` or a resource: read when needed. */
  readonly agent: AgentInfo
  /** Present while a tape records or replays (`core/tape.ts`). */
  readonly tape?: Tape
  /** Another receiver's definition by type, for receivers that drive receivers (`replay`). */
  receiver(type: string): Promise<ReceiverDefinition>
}

export interface AgentInfo {
  readonly version: string
  /** Unique for this process's life. */
  readonly instanceId: string
  readonly hostName: string
  /** Unix microseconds. */
  readonly startUs: number
  /** The ledger now, one entry per edge: rows by outcome. */
  ledger(): readonly LedgerEntry[]
}

export interface LedgerEntry {
  /** `receiver`, `processor`, `exporter`. */
  readonly kind: string
  readonly component: string
  /** Empty for receivers. */
  readonly pipeline: string
  readonly rows: Readonly<Record<string, number>>
}

/** Answers of the outside world, recorded or replayed in order, one queue per key. */
export interface Tape {
  readonly mode: 'record' | 'replay'
  append(key: string, bytes: Uint8Array): void
  next(key: string): Uint8Array | null
}

// ---- receivers

export interface ReceiverDefinition<S extends ConfigSpec = ConfigSpec> {
  readonly kind: 'receiver'
  /** Only plugins state it; our own components are named by their folder. */
  readonly type?: string
  readonly summary: string
  readonly stability: Stability
  readonly config: S
  /**
   * Columns of one table named after the type, or columns by table; a function where they depend on
   * the configuration.
   */
  readonly emits: Columns | Tables | ((config: ConfigOf<S>) => Tables)
  /**
   * Opens the source. Called once, after the whole plan was checked.
   * @throws EnvironmentError when this machine lacks something: the receiver is degraded, the
   * others run.
   */
  open(config: ConfigOf<S>, host: Host): Receiver | Promise<Receiver>
}

export interface Receiver {
  /**
   * How often `read` is worth calling, milliseconds; default 200. A longer time makes idling
   * cheaper.
   */
  readonly everyMs?: number
  /**
   * The next batch, at most `rowsMax` rows, or null when there is nothing now.
   * Called by core every `everyMs` (200 ms), again and again until null or a budget of 10 ms is
   * spent; never after `close`. Counts are deltas since the last batch. Never throws for bad data:
   * counts it in `lost` or by `host.count`.
   */
  read(rowsMax: number): Batch | null
  /**
   * True when the source is at its end and all was read. When every receiver has ended, the agent
   * stops.
   */
  ended?(): boolean
  /**
   * Core calls it once before `close`, so that what is held in the kernel comes out with the last
   * reads.
   */
  finish?(): void
  /** Safe twice, and before `open` ended. */
  close(): void | Promise<void>
}

// ---- processors

export interface ProcessorDefinition<S extends ConfigSpec = ConfigSpec> {
  readonly kind: 'processor'
  readonly type?: string
  readonly summary: string
  readonly stability: Stability
  readonly config: S
  /**
   * Columns in -> columns out. Core calls it once per table, with that one table.
   * @throws MissingColumns when this table cannot be served (it then passes untouched), ConfigError
   * for a mistake.
   */
  plan(tables: Tables, config: ConfigOf<S>): Tables
  /** Runs in the worker thread, with the tables that `plan` accepted. */
  open(tables: Tables, config: ConfigOf<S>, host: ProcessorHost): Stage
  /** Main thread, once per component id: a source of look-up changes for `update`. */
  feed?(config: ConfigOf<S>, host: Host): Feed
}

export interface ProcessorHost extends StageHost {
  /** For stages that make series: names and labels by id, outside the rows. */
  readonly series: SeriesWriter
}

/** Pure and synchronous: no timers, no sockets, no clock of its own. */
export interface Stage {
  /** Look-up changes from the feed, applied before the next `process` or `tick`. */
  update?(buffer: ArrayBuffer): void
  /**
   * 0..n batches out. Batches are immutable: a stage that changes a column makes a new batch. Its
   * buffer may travel on as soon as this returns: copy what you keep.
   */
  process(batch: Batch): Batch | readonly Batch[] | null
  /**
   * Time passes here, about once a second, and a last time at the end (`final`): intervals, expiry,
   * rows held back.
   */
  tick?(nowMs: number, final: boolean): Batch | readonly Batch[] | null
  /** Input rows that it keeps and has neither put out, folded nor filtered yet. */
  held?(): number
}

export interface Feed {
  /** Begins to send. `send` transfers the buffer: do not use it afterwards. */
  start(send: (buffer: ArrayBuffer) => void): void | Promise<void>
  /** The whole present state, for a worker that was restarted. */
  snapshot(): ArrayBuffer
  close(): void | Promise<void>
}

// ---- exporters

export interface ExporterDefinition<S extends ConfigSpec = ConfigSpec> {
  readonly kind: 'exporter'
  readonly type?: string
  readonly summary: string
  readonly stability: Stability
  /** Core adds `sending_queue`, `retry_on_failure` and `timeout` to these. */
  readonly config: S
  /** A table is delivered when it has these columns; `{}` takes every table. */
  readonly needs: Columns | ((config: ConfigOf<S>) => readonly Columns[])
  open(config: ConfigOf<S>, host: Host): Exporter | Promise<Exporter>
}

export interface Exporter {
  /**
   * Accepts one batch; resolves on acceptance by the far side. Called again only after the last
   * call settled; the batch's buffer is used again then: copy what you keep. `series` is given with
   * `series` batches: names, labels and newest values of all series that reached this branch.
   * @throws RetryableError, PermanentError; anything else counts as permanent. `signal` aborts at
   * the deadline.
   */
  write(batch: Batch, context: WriteContext): void | Promise<void>
  close(): void | Promise<void>
}

export interface WriteContext {
  readonly signal: AbortSignal
  readonly series: SeriesView | undefined
}

// ---- makers

type Spec<T> = Omit<T, 'kind'>

export function defineReceiver<const S extends ConfigSpec>(
  definition: Spec<ReceiverDefinition<S>>,
): ReceiverDefinition<S> {
  return { kind: 'receiver', ...definition }
}

export function defineProcessor<const S extends ConfigSpec>(
  definition: Spec<ProcessorDefinition<S>>,
): ProcessorDefinition<S> {
  return { kind: 'processor', ...definition }
}

export function defineExporter<const S extends ConfigSpec>(
  definition: Spec<ExporterDefinition<S>>,
): ExporterDefinition<S> {
  return { kind: 'exporter', ...definition }
}

export type Definition = ReceiverDefinition | ProcessorDefinition | ExporterDefinition
