/**
 * A host for one component on its own: keeps what it logged and counted, so that a test can assert
 * it. Everything else is what core gives, without a runtime around it.
 */
import { join } from 'node:path'
import { metrics } from '@opentelemetry/api'
import type { AgentInfo, Host, LedgerEntry, Log, LogFields, Tape } from '../../core/index.ts'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
}

export interface TestHost extends Host {
  readonly lines: readonly LogLine[]
  readonly counts: Readonly<Record<string, number>>
  readonly losses: Readonly<Record<string, number>>
  /** Aborts `signal`, as core does when the agent begins to stop. */
  stop(): void
}

export interface TestHostOptions {
  readonly id?: string
  /** The component's folder, for `asset`. */
  readonly folder?: string
  readonly tape?: Tape
  readonly receiver?: Host['receiver']
  readonly startUs?: number
  ledger?(): readonly LedgerEntry[]
}

export function testHost(options: TestHostOptions = {}): TestHost {
  const lines: LogLine[] = []
  const counts: Record<string, number> = {}
  const losses: Record<string, number> = {}
  const stop = new AbortController()
  const agent: AgentInfo = {
    version: '0.0.0',
    instanceId: 'test',
    hostName: 'test-host',
    startUs: options.startUs ?? Date.now() * 1000,
    ledger: options.ledger ?? (() => []),
  }
  return {
    id: options.id ?? 'test',
    log: keepLog(lines),
    count: (name, n) => {
      counts[name] = (counts[name] ?? 0) + n
    },
    meter: metrics.getMeter('test'),
    signal: stop.signal,
    asset: name => join(options.folder ?? process.cwd(), name),
    lost: (cause, rows) => {
      losses[cause] = (losses[cause] ?? 0) + rows
    },
    agent,
    tape: options.tape,
    receiver:
      options.receiver ?? (type => Promise.reject(new Error(`no receiver ${type} in this test`))),
    lines,
    counts,
    losses,
    stop: () => stop.abort(),
  }
}

function keepLog(lines: LogLine[]): Log {
  const at =
    (level: LogLine['level']) =>
    (message: string, fields: LogFields = {}): void => {
      lines.push({ level, message, fields })
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
