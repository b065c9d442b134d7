/**
 * The log: one line an entry on standard error, logfmt for people, JSON for machines.
 *
 * Entries are plain data, so that a worker thread can post them to the sink of the main thread.
 */
import type { Log, LogFields } from './contract.ts'

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof LEVELS)[number]
export const FORMATS = ['logfmt', 'json'] as const
export type LogFormat = (typeof FORMATS)[number]

export interface LogEntry {
  readonly level: Level
  /** Component id, or `service` for the agent itself. */
  readonly component: string
  readonly message: string
  readonly fields?: LogFields
  /** Unix milliseconds; now when absent. */
  readonly timeMs?: number
}

/** Where entries go. Entries below `level` are left out. */
export interface LogSink {
  readonly level: Level
  write(entry: LogEntry): void
  /** The log of a component, by id; `service` for the agent itself. */
  component(id: string): Log
}

export interface LogOptions {
  readonly format: LogFormat
  readonly level: Level
  /** Takes whole lines. Default: standard error. */
  readonly write?: (line: string) => void
}

export function openLog(options: LogOptions): LogSink {
  const { format, level } = options
  const write = options.write ?? (line => process.stderr.write(line))
  const least = LEVELS.indexOf(level)
  const line = format === 'json' ? jsonLine : logfmtLine
  const sink: LogSink = {
    level,
    write(entry) {
      if (LEVELS.indexOf(entry.level) >= least) write(line(entry))
    },
    component: id => logOf(sink, id),
  }
  return sink
}

function logOf(sink: LogSink, component: string): Log {
  const at = (level: Level) => (message: string, fields?: LogFields) =>
    sink.write({ level, component, message, ...(fields ? { fields } : {}) })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function timeOf({ timeMs }: LogEntry): string {
  return new Date(timeMs ?? Date.now()).toISOString()
}

function jsonLine(entry: LogEntry): string {
  const { level, component, message, fields } = entry
  return `${JSON.stringify({ time: timeOf(entry), level, component, message, ...fields })}\n`
}

function logfmtLine(entry: LogEntry): string {
  const { level, component, message, fields } = entry
  let line = `time=${timeOf(entry)} level=${level} component=${word(component)}`
  line += ` message=${word(message)}`
  for (const [key, value] of Object.entries(fields ?? {})) {
    line += ` ${key.replace(/[\s="]/g, '_')}=${word(String(value))}`
  }
  return `${line}\n`
}

/** A value as logfmt writes it: quoted when it holds spaces, quotes, = or control characters. */
function word(text: string): string {
  return /^[^\s"=\p{C}]+$/u.test(text) ? text : JSON.stringify(text)
}

/** Distinct messages that are remembered; beyond that the oldest is forgotten. */
const KEYS_MAX = 1000

interface Limited {
  shownMs: number
  suppressed: number
  last: () => void
}

/**
 * Lets each message through at most once a minute. The next one that passes says how many did not
 * in between (`suppressed`).
 */
export class LogLimiter {
  readonly #log: Log
  readonly #everyMs: number
  readonly #now: () => number
  readonly #keys = new Map<string, Limited>()

  constructor(log: Log, everyMs = 60_000, now: () => number = Date.now) {
    this.#log = log
    this.#everyMs = everyMs
    this.#now = now
  }

  warn(key: string, message: string, fields?: LogFields): void {
    this.#limit('warn', key, message, fields)
  }

  error(key: string, message: string, fields?: LogFields): void {
    this.#limit('error', key, message, fields)
  }

  /** Says what is still suppressed. Called once, at the end. */
  flush(): void {
    for (const { suppressed, last } of this.#keys.values()) if (suppressed > 0) last()
    this.#keys.clear()
  }

  #limit(level: 'warn' | 'error', key: string, message: string, fields?: LogFields): void {
    const now = this.#now()
    const known = this.#keys.get(key)
    const suppressed = known?.suppressed ?? 0
    const show = (count: number) =>
      this.#log[level](message, count > 0 ? { ...fields, suppressed: count } : fields)
    if (known && now - known.shownMs < this.#everyMs) {
      known.suppressed++
      known.last = () => show(known.suppressed)
      return
    }
    this.#keys.delete(key)
    this.#keys.set(key, { shownMs: now, suppressed: 0, last: () => undefined })
    if (this.#keys.size > KEYS_MAX) this.#keys.delete(this.#keys.keys().next().value as string)
    show(suppressed)
  }
}
