/**
 * What happens to each column of a flow when its rows become one record, and what makes two rows
 * one flow.
 */
import type { Columns, Kind } from '../../core/index.ts'

/**
 * - `first`: part of the key, taken from the first row.
 * - `sum`: deltas that add up. Narrow columns stop at their maximum, which is counted.
 * - `min`, `max`: earliest and latest; 0 is "not known" to `min`.
 * - `or`: bits seen so far.
 * - `last`: as in the last row, zero too.
 * - `known`: as in the last row that had a value: names come late and pods go early.
 */
export type Fold = 'first' | 'sum' | 'min' | 'max' | 'or' | 'last' | 'known'

const FOLDS: Readonly<Record<string, Fold>> = {
  time_us: 'max',
  start_us: 'min',
  packets: 'sum',
  bytes: 'sum',
  syn: 'sum',
  syn_ack: 'sum',
  fin: 'sum',
  rst: 'sum',
  urg: 'sum',
  ece: 'sum',
  cwr: 'sum',
  flow_starts: 'sum',
  retransmits: 'sum',
  tcp_flags: 'or',
  handshake_us: 'max',
  flow_state: 'last',
  dscp: 'last',
  ecn: 'last',
}

/**
 * The flow's key: the tuple, where it was seen and which way. Columns that a table lacks are left
 * out.
 */
const ADDRESSES = ['source_address', 'destination_address']
/** Columns that share a 32-bit word, with the bit they begin at. */
const PACKED: readonly (readonly (readonly [string, number])[])[] = [
  [
    ['source_port', 16],
    ['destination_port', 0],
  ],
  [
    ['protocol', 0],
    ['direction', 8],
    ['duplicate', 16],
    ['fragment', 24],
  ],
  [
    ['icmp_type', 8],
    ['icmp_code', 0],
  ],
  [['interface', 0]],
]
/** Why packets have no flow of their own: rows with zero addresses differ in this only. */
const CAUSE = 'other_cause'
const KEY = new Set([...ADDRESSES, ...PACKED.flat().map(([name]) => name), CAUSE])

/** Without these a table's rows are no flows. */
export const NEEDED: readonly string[] = [
  ...ADDRESSES,
  'protocol',
  'flow_state',
  'packets',
  'bytes',
  'time_us',
]

export function foldOf(name: string): Fold {
  return KEY.has(name) ? 'first' : (FOLDS[name] ?? 'known')
}

/** How a kernel names what a key is made of. */
export interface KeyCode {
  cell(name: string): string
  /** An address column as words, four a row. */
  words(name: string): string
  /** Id of a text cell. */
  textId(name: string): string
}

/** Code of each word of the key over `row`. */
export function keyWords(columns: Columns, code: KeyCode): string[] {
  const has = (name: string) => Object.hasOwn(columns, name)
  const addresses = ADDRESSES.flatMap(name =>
    [0, 1, 2, 3].map(i => `${code.words(name)}[4 * row + ${i}]`),
  )
  const packed = PACKED.map(parts => parts.filter(([name]) => has(name)))
    .filter(parts => parts.length > 0)
    .map(parts => parts.map(([name, bit]) => `${code.cell(name)} << ${bit}`).join(' | '))
  const words = [...addresses, ...packed.map(word => `(${word}) >>> 0`)]
  return has(CAUSE) ? [...words, code.textId(CAUSE)] : words
}

/** Largest value of a narrow column. */
export function maximumOf(kind: Kind): number {
  return kind === 'u8' ? 0xff : kind === 'u16' ? 0xffff : 0xffffffff
}
