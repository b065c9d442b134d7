/**
 * The agent: a plan brought to life, its signals, and the exit code that says how it ended.
 */
import { randomUUID } from 'node:crypto'
import { unwatchFile, watchFile } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { AgentInfo, Host, ReceiverDefinition, Tape } from './contract.ts'
import { EXIT, isEnvironmentError } from './errors.ts'
import type { LogSink } from './log.ts'
import type { Plan, Planned, PlannedReceiver } from './plan_types.ts'
import { createRegistry } from './registry.ts'
import { version } from './root.ts'
import { messageOf } from './runtime/deadline.ts'
import { Ledger } from './runtime/ledger.ts'
import { NothingToRead } from './runtime/reading.ts'
import { Runtime } from './runtime/runtime.ts'
import { TapeWriter } from './tape.ts'
import { startTelemetry, type Telemetry } from './telemetry.ts'

const REPLAY_HINT =
  'The same pipeline runs on a recorded trace, without root, on any kernel: ' +
  'npx fovea run --config configs/replay.yaml'

/** How often the configuration files are looked at. */
const WATCH_MS = 2000

export interface AgentOptions {
  readonly log: LogSink
  /** Path of a tape to write. */
  readonly record?: string
  /** Stop on SIGINT and SIGTERM, and at once on a second one. */
  readonly signals: boolean
  /** Given, the agent goes over to a new plan on SIGHUP and when one of the files changes. */
  readonly reload?: { readonly files: readonly string[]; readonly plan: () => Promise<Plan> }
}

/** Runs until a signal, or until every receiver has ended. @returns the exit code. */
export async function runAgent(plan: Plan, options: AgentOptions): Promise<number> {
  const agent = new Agent(plan, options)
  try {
    await Promise.race([agent.start(), agent.ended])
  } catch (error) {
    await agent.stop()
    if (!isEnvironmentError(error)) throw error
    const log = options.log.component('service')
    for (const line of error.message.split('\n')) log.error(line)
    for (const line of error.remedy.split('\n')) if (line) log.error(line)
    if (error instanceof NothingToRead) log.error(REPLAY_HINT)
    return EXIT.environment
  }
  await agent.ended
  await agent.stop()
  return EXIT.ok
}

export class Agent {
  /** Resolves on a signal or when every receiver has ended. */
  readonly ended: Promise<void>
  readonly info: AgentInfo
  readonly runtime: Runtime
  #plan: Plan
  readonly #options: AgentOptions
  readonly #abort = new AbortController()
  readonly #tape: TapeWriter | undefined
  /** Ids of receivers that the tape was given to. */
  readonly #recorded = new Set<string>()
  #telemetry: Telemetry | undefined
  #end: () => void = () => undefined
  #stopping: Promise<void> | undefined
  #reloading: Promise<void> = Promise.resolve()

  constructor(plan: Plan, options: AgentOptions) {
    this.#plan = plan
    this.#options = options
    this.ended = new Promise(resolve => {
      this.#end = resolve
    })
    const ledger = new Ledger()
    this.info = {
      version: version(),
      instanceId: randomUUID(),
      hostName: hostname(),
      startUs: Date.now() * 1000,
      ledger: () => ledger.accounts,
    }
    this.#tape = options.record
      ? new TapeWriter(options.record, plan.receivers.map(streamOf))
      : undefined
    this.runtime = new Runtime(plan, ledger, {
      log: id => options.log.component(id),
      host: (planned, lost) => this.#host(planned, lost),
    })
  }

  async start(): Promise<void> {
    if (this.#options.signals) this.#catchSignals()
    this.#telemetry = await startTelemetry(
      this.#plan.service.telemetry,
      this.info,
      { ledger: this.runtime.ledger, branches: () => this.runtime.graph.branches.values() },
      this.runtime,
    )
    await this.runtime.start(() => this.#end())
    this.#options.log.component('service').info('running', { version: this.info.version })
    if (this.#options.reload) this.#watch(this.#options.reload)
  }

  #watch({ files, plan }: NonNullable<AgentOptions['reload']>): void {
    const reload = () => {
      this.#reloading = this.#reloading.then(() =>
        this.#abort.signal.aborted ? undefined : this.#reload(plan),
      )
    }
    process.on('SIGHUP', reload)
    for (const file of files) watchFile(file, { interval: WATCH_MS, persistent: false }, reload)
    this.#abort.signal.addEventListener('abort', () => {
      process.off('SIGHUP', reload)
      for (const file of files) unwatchFile(file, reload)
    })
  }

  /** Validates and builds first: whatever fails, what runs goes on. */
  async #reload(makePlan: () => Promise<Plan>): Promise<void> {
    const log = this.#options.log.component('service')
    try {
      const plan = await makePlan()
      await this.runtime.reload(plan)
      log.info('configuration reloaded')
      const before = JSON.stringify(this.#plan.service.telemetry)
      if (JSON.stringify(plan.service.telemetry) !== before) {
        log.warn('service.telemetry is read at the start only; restart fovea to change it')
      }
      const { telemetry } = this.#plan.service
      this.#plan = { ...plan, service: { ...plan.service, telemetry } }
    } catch (error) {
      this.runtime.ledger.count('service', 'reload_failed', 1)
      log.error(`configuration not reloaded, the old one goes on: ${messageOf(error)}`)
    }
  }

  #catchSignals(): void {
    let asked = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(EXIT.interrupted)
        asked = true
        this.#options.log.component('service').info('stopping', { signal })
        this.#end()
      })
    }
  }

  /** Stops everything in order, once. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#abort.abort()
    await this.#reloading
    await this.runtime.stop()
    await this.#telemetry?.close()
    await this.#tape?.close().catch(error => {
      this.#options.log.component('service').error(`the tape is not whole: ${messageOf(error)}`)
    })
  }

  #host(planned: Planned, lost: (cause: string, rows: number) => void): Host {
    const { id, folder } = planned
    const { ledger } = this.runtime
    const telemetry = this.#telemetry as Telemetry
    const tape = this.#tapeOf(planned)
    return {
      id,
      log: this.#options.log.component(id),
      count: (name, n) => ledger.count(id, name, n),
      get meter() {
        return telemetry.meter(`fovea/${id}`)
      },
      signal: this.#abort.signal,
      asset: name => join(folder, name),
      lost,
      agent: this.info,
      ...(tape && { tape }),
      receiver: type => this.#receiver(type),
    }
  }

  /** Two openings of one receiver would mix on one tape, and its head has the first options. */
  #tapeOf(planned: Planned): Tape | undefined {
    const { id } = planned
    if (!this.#tape || !isReceiver(planned)) return undefined
    if (this.#recorded.has(id) || !this.#plan.receivers.some(receiver => receiver === planned)) {
      const text = 'not recorded: the tape has the receivers as they were at the start'
      this.#options.log.component(id).warn(text)
      return undefined
    }
    this.#recorded.add(id)
    return this.#tape.stream(id)
  }

  async #receiver(type: string): Promise<ReceiverDefinition> {
    const registry = await createRegistry(this.#plan.plugins)
    const { definition } = await registry.load('receiver', type)
    return definition as ReceiverDefinition
  }
}

function isReceiver(planned: Planned): boolean {
  return (planned as PlannedReceiver).definition?.kind === 'receiver'
}

function streamOf({ id, type, config, tables }: PlannedReceiver) {
  return { id, type, config, tables }
}
