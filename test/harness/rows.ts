/**
 * Batches as aligned text and back, so that what goes into a pipeline and what comes out can be
 * read.
 *
 *     flows
 *     time_us  source_address  protocol  source_pod
 *     1000     10.1.0.5        6         -
 *
 *     tick 1000
 *
 * A block is a table's name, its columns and its rows, and ends with an empty line; `tick` and
 * `end` give the time in milliseconds. `-` is the empty text, text with spaces stands in quotes,
 * raw bytes are hexadecimal. Kinds come from the column dictionary; another column says its own:
 * `value:number`.
 */
import type { Batch, BytesColumn, Kind, SeriesBatch, SeriesStore } from '../../core/index.ts'
import { formatAddress } from '../../processors/address.ts'
import { columnDictionary } from '../../receivers/columns.ts'
import { batchOf, type Cell } from './flow_batch.ts'

export type Step =
  | { readonly step: 'rows'; readonly batch: Batch }
  | { readonly step: 'tick' | 'end'; readonly nowMs: number }

/** @throws Error naming the line that is not understood. */
export function parseSteps(text: string): Step[] {
  const steps: Step[] = []
  for (const block of text.split(/\n\s*\n/)) {
    const lines = block.split('\n').filter(line => line.trim() !== '' && !/^\s*#/.test(line))
    if (lines.length === 0) continue
    const time = /^(tick|end) (\d+)$/.exec(lines[0].trim())
    if (time) {
      steps.push({ step: time[1] as 'tick' | 'end', nowMs: Number(time[2]) })
      if (lines.length > 1) throw new Error(`an empty line is missing after: ${lines[0]}`)
    } else {
      steps.push({ step: 'rows', batch: parseBlock(lines) })
    }
  }
  return steps
}

function parseBlock([table, header, ...lines]: readonly string[]): Batch {
  if (header === undefined) throw new Error(`no columns after: ${table}`)
  const columns: Record<string, Kind> = {}
  for (const word of cells(header)) {
    const [name, own] = word.split(':')
    const kind = own ?? (columnDictionary as Record<string, { kind: Kind }>)[name]?.kind
    if (kind === undefined) throw new Error(`column ${name} needs a kind: ${name}:number`)
    columns[name] = kind as Kind
  }
  const rows = lines.map(line => {
    const values = cells(line)
    const names = Object.keys(columns)
    if (values.length !== names.length) throw new Error(`${names.length} cells expected: ${line}`)
    return Object.fromEntries(names.map((name, i) => [name, parseCell(columns[name], values[i])]))
  })
  return batchOf(table.trim(), columns, rows)
}

function cells(line: string): string[] {
  return line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []
}

function parseCell(kind: Kind, cell: string): Cell {
  if (kind === 'bytes') return Uint8Array.from(Buffer.from(cell === '-' ? '' : cell, 'hex'))
  if (kind === 'address') return cell
  if (kind !== 'text') return Number(cell)
  return cell === '-' ? '' : cell.startsWith('"') ? (JSON.parse(cell) as string) : cell
}

/** A batch as a block of aligned text. */
export function formatBatch(batch: Batch): string {
  const names = Object.keys(batch.columns)
  const table = [names]
  for (let row = 0; row < batch.length; row++) {
    table.push(names.map(name => formatCell(batch, name, row)))
  }
  return `${batch.table}\n${aligned(table)}`
}

/** A `series` batch with names and labels in place of ids. */
export function formatSeries(batch: SeriesBatch, store: SeriesStore): string {
  const { series, slot, value, start_us, time_us } = batch.data
  const table = [['metric', 'labels', 'slot', 'value', 'start_us', 'time_us']]
  for (let row = 0; row < batch.length; row++) {
    const metric = store.metrics[store.metricOf(series[row])]
    const labels = metric.labels.map((name, i) => `${name}=${store.label(series[row], i)}`)
    const numbers = [slot[row], value[row], start_us[row], time_us[row]].map(String)
    table.push([metric.name, labels.join(',') || '-', ...numbers])
  }
  return `${batch.table}\n${aligned(table)}`
}

function formatCell({ columns, data, text }: Batch, name: string, row: number): string {
  switch (columns[name]) {
    case 'address':
      return formatAddress(data[name] as Uint8Array, 16 * row)
    case 'bytes': {
      const { end, blob } = data[name] as BytesColumn
      return Buffer.from(blob.subarray(row > 0 ? end[row - 1] : 0, end[row])).toString('hex') || '-'
    }
    case 'text': {
      const cell = text[(data[name] as Uint32Array)[row]]
      return cell === '' ? '-' : /^[^\s"#-][^\s"]*$/.test(cell) ? cell : JSON.stringify(cell)
    }
    default:
      return String((data[name] as Float64Array)[row])
  }
}

/** Columns two spaces apart, without spaces at the end of a line. */
export function aligned(table: readonly (readonly string[])[]): string {
  const widths = table[0].map((_, i) => Math.max(...table.map(line => line[i].length)))
  return table
    .map(line =>
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
