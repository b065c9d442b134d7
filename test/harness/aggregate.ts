/**
 * Rows, metrics and courses of time for the tests of the aggregation.
 */
import fc from 'fast-check'
import type { Columns } from '../../core/index.ts'
import type { MetricConfig } from '../../processors/aggregate/grammar.ts'
import aggregate from '../../processors/aggregate/index.ts'
import { batchOf } from './flow_batch.ts'
import { openStage, type SeriesLine, type TestStage } from './stage.ts'

export const columns = {
  time_us: 'number',
  packets: 'number',
  source_address: 'address',
  interface: 'u32',
  pod: 'text',
  syn: 'u16',
  rst: 'u16',
  protocol: 'u8',
} as const satisfies Columns

export interface Row {
  readonly packets: number
  readonly source_address: string
  readonly interface: number
  readonly pod: string
  readonly syn: number
  readonly rst: number
  readonly protocol: number
}

export const row: fc.Arbitrary<Row> = fc.record({
  packets: fc.nat(5000),
  source_address: fc.constantFrom('10.1.2.3', '10.1.2.4', 'fd00::1', '::'),
  interface: fc.constantFrom(1, 2, 0xffffffff),
  pod: fc.constantFrom('', 'a', 'b', 'c', 'constructor'),
  syn: fc.nat(3),
  rst: fc.nat(1),
  protocol: fc.constantFrom(6, 17, 200),
})

/** Rows in batches; after each batch so many seconds pass. */
export const course = fc.array(fc.tuple(fc.array(row, { maxLength: 12 }), fc.nat(40)), {
  maxLength: 12,
})

const transport = { column: 'protocol', map: 'protocol_names' }
export const metrics: readonly MetricConfig[] = [
  { name: 'pod.packets', from: 'flows', type: 'counter', value: 'packets', by: ['pod'] },
  { name: 'pod.rows', from: ['flows', 'drops'], type: 'counter', by: ['pod', 'interface'] },
  {
    name: 'tcp.flags',
    from: 'flows',
    type: 'counter',
    where: 'protocol == 6 && pod != "c"',
    spread: { label: 'flag', values: { syn: 'syn', rst: 'rst', both: 'syn + rst' } },
    by: { address: 'source_address' },
  },
  {
    name: 'size',
    from: 'flows',
    type: 'histogram',
    value: 'packets / 1000.0',
    buckets: [0.5, 1, 4],
    by: { transport },
  },
  { name: 'last', from: 'flows', type: 'gauge', value: 'packets', by: ['interface'] },
]

/** Yaml is a superset of JSON. */
export function optionsOf(list: readonly MetricConfig[], more = {}): string {
  return JSON.stringify({ preset: [], idle_expiry: '0s', metrics: list, ...more })
}

export function open(
  list: readonly MetricConfig[],
  more = {},
  table: Columns = columns,
): TestStage {
  return openStage(aggregate, { flows: table }, optionsOf(list, more))
}

export function batch(rows: readonly Row[]) {
  return batchOf(
    'flows',
    columns,
    rows.map(values => ({ ...values, time_us: 1_000_000 })),
  )
}

/** Values by `name{labels}`. */
export function read(lines: readonly SeriesLine[]): Record<string, readonly number[]> {
  return Object.fromEntries(
    lines.map(({ name, labels, values }) => [`${name}${JSON.stringify(labels)}`, values]),
  )
}

/** Plays a course and ends it; returns the stage. */
export function play(
  stage: TestStage,
  steps: readonly (readonly [readonly Row[], number])[],
): TestStage {
  let nowMs = 1_700_000_000_000
  stage.tick(nowMs)
  for (const [rows, seconds] of steps) {
    stage.put(batch(rows))
    nowMs += seconds * 1000
    stage.tick(nowMs)
  }
  stage.tick(nowMs, true)
  return stage
}

export const blank: Row = {
  packets: 0,
  source_address: '::',
  interface: 1,
  pod: '',
  syn: 0,
  rst: 0,
  protocol: 6,
}

export function count(name: string, more: Partial<MetricConfig> = {}): MetricConfig {
  return { name, from: 'flows', type: 'counter', ...more }
}
