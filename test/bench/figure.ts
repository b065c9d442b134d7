/**
 * One line of the table that `npm run bench` prints, and how the table is laid out.
 */

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** `value` against the reference that was measured in the same run. */
  readonly ratio?: number
  /** What the ratio should not exceed, or with `atLeast` not fall below. */
  readonly goal?: number
  /** The same for `value`, where the goal is an absolute one. */
  readonly limit?: number
  readonly atLeast?: boolean
  /** What the reference was, or what a value is made of. */
  readonly note?: string
}

/** True when it reaches its goal, undefined when it has none. */
export function reaches({ value, ratio, goal, limit, atLeast }: Figure): boolean | undefined {
  const holds = (got: number, wanted: number) => (atLeast ? got >= wanted : got <= wanted)
  if (limit !== undefined) return holds(value, limit)
  if (goal !== undefined && ratio !== undefined) return holds(ratio, goal)
  return undefined
}

/** The whole table, a line of Markdown for each figure. */
export function table(figures: readonly Figure[]): string {
  const head = ['name', 'value', 'unit', 'reference', 'ratio', 'goal', '']
  const rows = [head, ...figures.map(cells)]
  const widths = head.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  const right = (column: number) => [1, 3, 4, 5].includes(column)
  const padded = (cell: string, column: number) =>
    right(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
  const line = (row: readonly string[]) => `| ${row.map(padded).join(' | ')} |`
  const rules = widths.map((width, column) => '-'.repeat(width + 1) + (right(column) ? ':' : '-'))
  const rule = `|${rules.join('|')}|`
  const [first, ...rest] = rows.map(line)
  const notes = figures.flatMap(({ name, note }) => (note ? [`- ${name}: ${note}`] : []))
  return [first, rule, ...rest, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n')
}

function cells(figure: Figure): string[] {
  const { name, value, unit, ratio, goal, limit, atLeast } = figure
  const sign = atLeast ? '>=' : '<='
  const wanted =
    limit !== undefined
      ? `${sign} ${short(limit)} ${unit}`
      : goal !== undefined
        ? `${sign} ${short(goal)} x`
        : ''
  const reference = ratio ? short(value / ratio) : ''
  const met = reaches(figure)
  const verdict = met === undefined ? '' : met ? 'ok' : 'over'
  return [name, short(value), unit, reference, ratio ? short(ratio) : '', wanted, verdict]
}

/** Three significant digits: more would pretend. */
function short(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}
