/**
 * What a component hands over is looked at once a batch, so that the mistake of a plugin is a
 * sentence about that plugin and costs that batch, and not the worker or the agent.
 */
import type { Batch, Columns, Tables } from '../batch.ts'

/** Why this cannot go on as one of the `tables` that were promised; undefined when it can. */
export function batchMistake(given: unknown, tables: Tables): string | undefined {
  const { table, columns, length, capacity, buffer } = (given ?? {}) as Partial<Batch>
  if (typeof table !== 'string' || columns === undefined || !(buffer instanceof ArrayBuffer)) {
    return 'what it gave is no batch; make one with BatchWriter and hand on done()'
  }
  if (buffer.byteLength === 0) return `its batch of ${table} was handed on before, or has no buffer`
  const rows = Number(length)
  if (!Number.isInteger(rows) || rows < 0 || rows > Number(capacity)) {
    return `its batch of ${table} says ${length} rows and has room for ${capacity}`
  }
  if (!Object.hasOwn(tables, table)) {
    return `it gave a table "${table}"; what it states is ${Object.keys(tables).join(', ')}`
  }
  return columns === tables[table] ? undefined : difference(table, columns, tables[table])
}

function difference(table: string, given: Columns, stated: Columns): string | undefined {
  const kinds = (columns: Columns, name: string) =>
    Object.hasOwn(columns, name) ? columns[name] : 'nothing'
  for (const name of Object.keys({ ...stated, ...given })) {
    const [is, should] = [kinds(given, name), kinds(stated, name)]
    if (is !== should) {
      return `its batch of ${table} has ${is} as ${name}; what it states is ${should}`
    }
  }
  return undefined
}

/** Rows that a batch with a mistake says it has, as far as that can be believed. */
export function rowsSaid(given: unknown): number {
  const { length, capacity } = (given ?? {}) as Partial<Batch>
  return Math.max(0, Math.min(Math.trunc(Number(length)) || 0, Number(capacity) || 0))
}
