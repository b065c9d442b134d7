/**
 * Lets the rows through that satisfy an expression; the others are counted as `filtered`.
 *
 * The expression becomes one loop over the batch's arrays that lists the rows to keep. A batch that
 * passes whole is handed on by reference.
 */
import type { Batch, Columns } from '../../core/index.ts'
import { defineProcessor, MissingColumns } from '../../core/index.ts'
import { compile } from '../expression.ts'
import { Kernel } from '../kernel.ts'
import { parseExpression } from '../parse.ts'
import { selectRows } from '../select.ts'

/** Writes the numbers of the rows to keep, ascending, and returns how many there are. */
type Select = (batch: Batch, rows: Uint32Array) => number

export default defineProcessor({
  summary: 'Lets the rows through that satisfy an expression',
  stability: 'beta',
  config: {
    where: {
      type: 'string',
      required: true,
      description: 'Rows for which this expression is true pass: `bytes > 1000 && protocol == 6`.',
    },
    tables: {
      type: 'list',
      items: { type: 'string', description: 'Name of a table.' },
      default: [],
      description: 'Tables to filter; others pass untouched. Empty: all that have the columns.',
    },
  },

  plan(tables, { where, tables: only }) {
    for (const [table, columns] of Object.entries(tables)) {
      if (only.length > 0 && !only.includes(table)) {
        throw new MissingColumns([], `filters only ${only.join(', ')}`)
      }
      selectOf(columns, where)
    }
    return tables
  },

  open(tables, { where }, host) {
    const selects = new Map<string, Select>()
    for (const [table, columns] of Object.entries(tables)) {
      selects.set(table, selectOf(columns, where))
    }
    let rows = new Uint32Array(1024)

    return {
      process(batch) {
        const select = selects.get(batch.table)
        if (!select) return batch
        if (rows.length < batch.length) rows = new Uint32Array(batch.length)
        const kept = select(batch, rows)
        if (kept === batch.length) return batch
        host.count('filtered', batch.length - kept)
        return kept === 0 && batch.lost === 0 ? null : selectRows(batch, rows, kept)
      },
    }
  },
})

function selectOf(columns: Columns, where: string): Select {
  const kernel = new Kernel(columns)
  const test = compile(kernel, 'where', parseExpression('where', where), 'boolean')
  return kernel.build(
    ['rows'],
    `let kept = 0
     for (let row = 0; row < batch.length; row++) if (${test}) rows[kept++] = row
     return kept`,
  )
}
