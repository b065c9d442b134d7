/**
 * What a component threw when it was opened, with the component's name: the user has several, and
 * one sentence must be enough to find it.
 */
import { ConfigError, EnvironmentError, isEnvironmentError } from '../errors.ts'

/** The same error, saying whose it is; anything but a mistake or a lack is given back as it is. */
export function namedError(kind: 'receiver' | 'exporter', id: string, error: unknown): unknown {
  if (error instanceof ConfigError) {
    const owner = `${kind}s.${id}`
    return new ConfigError(
      error.problems.map(problem => ({
        ...problem,
        path: problem.path === undefined ? owner : `${owner}.${problem.path}`,
      })),
    )
  }
  if (!isEnvironmentError(error)) return error
  return new EnvironmentError(`${kind} ${id}: ${error.message}`, error.remedy, { cause: error })
}
