/**
 * What a reload may leave as it is: components and workers whose configuration says the same.
 */
import type { Planned } from '../plan_types.ts'
import type { WorkerDefinition } from './messages.ts'

/** The same component with the same options. */
export function isSame(planned: Planned, others: readonly Planned[]): boolean {
  const other = others.find(({ id }) => id === planned.id)
  return other !== undefined && plainText(other) === plainText(planned)
}

/** The numbers of dictionaries do not matter. */
export function isSameWork(a: WorkerDefinition, b: WorkerDefinition): boolean {
  const plain = (definition: WorkerDefinition) =>
    JSON.stringify(definition, (key, value) => (key === 'dictionary' ? undefined : value))
  return plain(a) === plain(b)
}

function plainText(planned: Planned): string {
  const { definition: _, ...plain } = planned as Planned & { definition?: unknown }
  return JSON.stringify(plain)
}
