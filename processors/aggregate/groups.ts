/**
 * Metrics with the same tables, labels and condition form a group: its rows are tested and hashed
 * once, however many values are taken from each. This file turns metrics into groups and groups
 * into kernels.
 */
import type { Batch, Columns } from '../../core/index.ts'
import { ConfigError, slotsOf } from '../../core/index.ts'
import { compile, missingIn, refuseMissing } from '../expression.ts'
import { Kernel } from '../kernel.ts'
import { hashCode } from '../key_table.ts'
import type { TextIds } from '../texts.ts'
import { type LabelCodec, labelCodec } from './labels.ts'
import type { Metric, Part } from './metrics.ts'

/** One series of every label set of a group. */
export interface Member {
  /** Index in the list of metrics. */
  readonly metric: number
  /** The metric's name. */
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly bounds: readonly number[]
  readonly part: Part
  /** First of its values among those of a label set. */
  readonly offset: number
  readonly slots: number
}

export interface GroupPlan {
  readonly first: Metric
  readonly members: readonly Member[]
  /** Values of one label set. */
  readonly stride: number
}

/** Lists the rows that count, with the words and the hash of each one's key; returns how many. */
export type SelectKeys = (
  batch: Batch,
  rows: Uint32Array,
  words: Uint32Array,
  hashes: Uint32Array,
  texts: TextIds,
) => number

/**
 * Adds the listed rows to the values at `places`; returns how many values were no number or
 * negative.
 */
export type Accumulate = (
  batch: Batch,
  rows: Uint32Array,
  count: number,
  places: Uint32Array,
  values: Float64Array,
) => number

export interface GroupKernels {
  readonly codecs: readonly LabelCodec[]
  readonly select: SelectKeys
  readonly accumulate: Accumulate
}

export function groupMetrics(metrics: readonly Metric[]): GroupPlan[] {
  const groups = new Map<string, { first: Metric; members: Member[]; stride: number }>()
  metrics.forEach((metric, index) => {
    const { tables, labels, where, seriesMax, definition } = metric
    const key = JSON.stringify([tables, labels, where?.source.trim() ?? null, seriesMax])
    const group = groups.get(key) ?? { first: metric, members: [], stride: 0 }
    groups.set(key, group)
    const slots = slotsOf(definition)
    for (const part of metric.parts) {
      const { name, type, bounds = [] } = definition
      group.members.push({ metric: index, name, type, bounds, part, offset: group.stride, slots })
      group.stride += slots
    }
  })
  return [...groups.values()]
}

/**
 * The two loops of a group over one table.
 * @throws MissingColumns with all columns that the group needs and the table lacks; ConfigError for
 * a wrong type.
 */
export function groupKernels(group: GroupPlan, columns: Columns): GroupKernels {
  const { labels, where, path, definition } = group.first
  const missing = new Map<string, string>()
  for (const { column } of labels) {
    if (Object.hasOwn(columns, column)) continue
    missing.set(column, `${column} for metric ${definition.name}`)
  }
  const expressions = group.members.map(({ part, name }) => [part.value, name] as const)
  if (where) expressions.push([where, definition.name])
  for (const [expression, metric] of expressions) {
    for (const [name, sentence] of missingIn(columns, expression)) {
      missing.set(name, `${sentence} for metric ${metric}`)
    }
  }
  refuseMissing(missing)
  const codecs = labels.map(label => {
    const codec = labelCodec(label, columns[label.column])
    if (codec) return codec
    const message =
      label.map === null
        ? `${label.column} holds raw bytes, which cannot be a label`
        : `this map does not fit ${label.column}, a column of kind ${columns[label.column]}`
    throw new ConfigError([{ path: `${path}.by.${label.name}`, message }])
  })
  return {
    codecs,
    select: selectKernel(group, columns, codecs),
    accumulate: addKernel(group, columns),
  }
}

function selectKernel(
  group: GroupPlan,
  columns: Columns,
  codecs: readonly LabelCodec[],
): SelectKeys {
  const { where, path } = group.first
  const kernel = new Kernel(columns)
  const test = where ? compile(kernel, `${path}.where`, where, 'boolean') : 'true'
  const labels = codecs.flatMap(codec => codec.code(kernel))
  // Without labels every row has one key, not what another group left in the shared array.
  const cells = labels.length > 0 ? labels : ['0']
  const names = cells.map((_, i) => `w${i}`)
  return kernel.build(
    ['rows', 'words', 'hashes', 'texts'],
    `let count = 0
     for (let row = 0; row < batch.length; row++) {
       if (!${test}) continue
       ${cells.map((code, i) => `const w${i} = ${code}`).join('\n')}
       ${hashCode(names)}
       ${names.map((name, i) => `words[count * ${cells.length} + ${i}] = ${name}`).join('\n')}
       rows[count] = row
       hashes[count++] = hash
     }
     return count`,
  )
}

function addKernel(group: GroupPlan, columns: Columns): Accumulate {
  const kernel = new Kernel(columns)
  const steps = group.members.map(member => {
    const { part, offset } = member
    const value = compile(kernel, part.path, part.value, 'number')
    const target = `values[at + ${offset}]`
    if (member.type === 'gauge') {
      return `{ const x = ${value}; if (x === x) ${target} = x; else bad++ }`
    }
    if (member.type === 'histogram') {
      const observe = kernel.constant(observer(member.bounds))
      return `{ const x = ${value}
        if (x === x) ${observe}(values, at + ${offset}, x); else bad++ }`
    }
    // Columns of whole numbers need no check.
    const { tree } = part.value
    const whole = 'name' in tree ? columns[tree.name] !== 'number' : 'value' in tree
    if (whole) return `${target} += ${value}`
    return `{ const x = ${value}; if (x >= 0) ${target} += x; else bad++ }`
  })
  return kernel.build(
    ['rows', 'count', 'places', 'values'],
    `let bad = 0
     for (let i = 0; i < count; i++) {
       const row = rows[i], at = places[i]
       ${steps.join('\n')}
     }
     return bad`,
  )
}

/**
 * Sum, count, then the buckets' own counts: the slots of SERIES_COLUMNS. An upper bound belongs to
 * its bucket.
 */
function observer(
  bounds: readonly number[],
): (values: Float64Array, at: number, x: number) => void {
  const upper = Float64Array.from(bounds)
  return (values, at, x) => {
    let low = 0
    let high = upper.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (x <= upper[middle]) high = middle
      else low = middle + 1
    }
    values[at] += x
    values[at + 1]++
    values[at + 2 + low]++
  }
}
