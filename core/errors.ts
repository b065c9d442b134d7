/**
 * The three kinds of failure and what each becomes: a user's mistake (exit 2), a machine's lack
 * (exit 3), our own bug (an assertion, crash). Exporters have two more, because a queue must know
 * whether to retry.
 */

/** Exit codes of every command. */
export const EXIT = { ok: 0, failed: 1, config: 2, environment: 3, interrupted: 130 } as const

/**
 * One mistake in the configuration. `path` is dotted; position is absent only when there is no
 * file.
 */
export interface Problem {
  readonly file?: string
  readonly line?: number
  readonly column?: number
  readonly path?: string
  readonly message: string
}

/** The user's mistakes, all of them at once. Printed one a line, exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[] | string) {
    const list = typeof problems === 'string' ? [{ message: problems }] : problems
    super(list.map(formatProblem).join('\n'))
    this.problems = list
  }
}

export function formatProblem(problem: Problem): string {
  const { file, line, column, path, message } = problem
  const where = file === undefined ? '' : line === undefined ? file : `${file}:${line}:${column}`
  const what = path ? `${path}: ${message}` : message
  return where ? `${where} ${what}` : what
}

/**
 * The machine lacks a right or a feature. Exit code 3 when nothing can run without it.
 * `native` throws errors of the same name and shape without importing this class: test with
 * `isEnvironmentError`.
 */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError'
  readonly remedy: string
  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options)
    this.remedy = remedy
  }
}

export function isEnvironmentError(error: unknown): error is EnvironmentError {
  return error instanceof Error && error.name === 'EnvironmentError'
}

/**
 * A processor's `plan` throws this when the table it was shown lacks columns. Core lets that table
 * pass the stage untouched, unless no table of the pipeline satisfies the stage: then it is a
 * ConfigError.
 */
export class MissingColumns extends Error {
  override readonly name = 'MissingColumns'
  readonly columns: readonly string[]
  /**
   * @param message where there is more to say than the names, such as the place inside an
   * expression; with no columns, why this table is none of the stage's business.
   */
  constructor(columns: readonly string[], message = `needs ${columns.join(', ')}`) {
    super(message)
    this.columns = columns
  }
}

/** An exporter's `write` rejects with this when the same batch may succeed later. */
export class RetryableError extends Error {
  override readonly name = 'RetryableError'
  /** The server's own wish (RetryInfo, Retry-After), milliseconds. */
  readonly afterMs: number | undefined
  constructor(message: string, afterMs?: number, options?: ErrorOptions) {
    super(message, options)
    this.afterMs = afterMs
  }
}

/**
 * An exporter's `write` rejects with this when the batch will never be accepted: it is counted and
 * dropped.
 */
export class PermanentError extends Error {
  override readonly name = 'PermanentError'
}
