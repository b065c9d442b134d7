/**
 * A flow's rows as one record: what flow logs take.
 *
 * The receiver tells of a busy flow every second; a log of that would fill a disk in minutes. Here
 * the rows of a flow become one record when it ends and every `active_timeout`, in the terms of
 * IPFIX.
 */
import type { Columns } from '../../core/index.ts'
import { ConfigError, defineProcessor, MissingColumns } from '../../core/index.ts'
import { NEEDED } from './columns.ts'
import { OpenFlows } from './stage.ts'

export default defineProcessor({
  summary: 'Folds the rows of a flow into one record at its end and every active_timeout',
  stability: 'beta',
  config: {
    active_timeout: {
      type: 'duration',
      default: '60s',
      minimum: '1s',
      description: 'A flow that goes on gives a record this often (IPFIX active timeout).',
    },
    flows_max: {
      type: 'integer',
      minimum: 1,
      default: 65536,
      description: 'Open records; beyond, each row of a further flow comes out as its own record.',
    },
  },

  plan(tables) {
    const out: Record<string, Columns> = {}
    for (const [table, columns] of Object.entries(tables)) {
      const missing = NEEDED.filter(name => !Object.hasOwn(columns, name))
      if (missing.length > 0) throw new MissingColumns(missing)
      if (Object.hasOwn(columns, 'end_reason'))
        throw new MissingColumns([], 'holds records already')
      const raw = Object.keys(columns).find(name => columns[name] === 'bytes')
      if (raw !== undefined) {
        throw new ConfigError(
          `table ${table} has the column ${raw} of raw bytes, which cannot be folded`,
        )
      }
      out[recordsTable(table)] = { ...columns, end_reason: 'text' }
    }
    return out
  },

  open(tables, config, host) {
    const flows = new Map<string, OpenFlows>()
    for (const [table, columns] of Object.entries(tables)) {
      flows.set(table, new OpenFlows(recordsTable(table), columns, config.flows_max, host))
    }
    const all = [...flows.values()]
    return {
      process: batch => flows.get(batch.table)?.process(batch) ?? batch,
      tick: (nowMs, final) => all.flatMap(open => open.tick(nowMs, config.active_timeout, final)),
      held: () => all.reduce((sum, { open }) => sum + open, 0),
    }
  },
})

/** `flows` becomes `flow_records`; any other table keeps its name before `_records`. */
function recordsTable(table: string): string {
  return table === 'flows' ? 'flow_records' : `${table}_records`
}
