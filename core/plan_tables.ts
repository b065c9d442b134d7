/**
 * Tables of columns: what a component says of them, whether two are alike, what one lacks.
 */
import type { Columns, Kind, Tables } from './batch.ts'
import type { ExporterDefinition, ReceiverDefinition } from './contract.ts'

type Config = Readonly<Record<string, unknown>>

const KINDS: readonly Kind[] = ['u8', 'u16', 'u32', 'number', 'address', 'text', 'bytes']

/** Whatever form `emits` has, as columns by table. */
export function emittedBy(definition: ReceiverDefinition, type: string, config: Config): Tables {
  const { emits } = definition
  if (typeof emits === 'function') return emits(config as never)
  const isOneTable = Object.values(emits).every(value => typeof value === 'string')
  return isOneTable ? { [type]: emits as Columns } : (emits as Tables)
}

/** Whatever form `needs` has, as a list: a table with all columns of any of them is delivered. */
export function neededBy(definition: ExporterDefinition, config: Config): readonly Columns[] {
  const { needs } = definition
  return typeof needs === 'function' ? needs(config as never) : [needs]
}

/** A sentence when a component states something that is no table of columns. */
export function tablesMistake(tables: Tables): string | undefined {
  for (const [table, columns] of Object.entries(tables)) {
    for (const [column, kind] of Object.entries(columns)) {
      if (!KINDS.includes(kind)) {
        const kinds = KINDS.join(', ')
        return `column ${column} of table ${table} has the kind "${kind}"; there are ${kinds}`
      }
    }
  }
  return undefined
}

/** What the second lacks or has otherwise, and the reverse; empty when both are alike. */
export function difference(a: Columns, b: Columns): string[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  return names.filter(name => a[name] !== b[name])
}

/** Of `needs`, the columns that `columns` lacks or has with another kind. */
export function lacking(needs: Columns, columns: Columns): string[] {
  return Object.keys(needs).filter(name => columns[name] !== needs[name])
}

/** Tables that flow together, each with the name of who gave it. */
export class Meeting {
  readonly #from = new Map<string, string>()
  readonly tables: Record<string, Columns> = {}

  /**
   * Adds a table. @returns a sentence when one of the same name but with other columns is there
   * already.
   */
  add(table: string, columns: Columns, from: string): string | undefined {
    const there = this.tables[table]
    if (there === undefined) {
      this.tables[table] = columns
      this.#from.set(table, from)
      return undefined
    }
    const different = difference(there, columns)
    if (different.length === 0) return undefined
    return (
      `${this.#from.get(table)} and ${from} both give a table "${table}", but they differ in ` +
      `${enumerate(different)}; keep them in pipelines of their own`
    )
  }
}

/** `a`, `a and b`, `a, b and c`; long lists are cut. */
export function enumerate(names: readonly string[], word = 'and'): string {
  const shown = names.length > 8 ? [...names.slice(0, 7), `${names.length - 7} more`] : names
  if (shown.length < 2) return shown.join('')
  return `${shown.slice(0, -1).join(', ')} ${word} ${shown.at(-1)}`
}
