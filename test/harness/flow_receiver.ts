/**
 * The flows receiver on its own, over the running kernel, with its rows kept as objects to ask.
 */
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Batch, Receiver } from '../../core/index.ts'
import { formatAddress } from '../../processors/address.ts'
import flows from '../../receivers/flows/index.ts'
import type { flowColumns } from '../../receivers/flows/rows.ts'
import { type TestHost, type TestHostOptions, testHost } from './host.ts'
import { until } from './until.ts'

export type FlowRow = {
  readonly [K in keyof typeof flowColumns]: (typeof flowColumns)[K] extends 'address' | 'text'
    ? string
    : number
}
type Counted = {
  [K in keyof FlowRow]: FlowRow[K] extends number ? K : never
}[keyof FlowRow]

export interface FlowOptions {
  readonly interfaces?: readonly string[]
  readonly exclude_interfaces?: readonly string[]
  /** Milliseconds. */
  readonly interval?: number
  readonly idle_timeout?: number
  readonly ended_timeout?: number
  readonly table_size?: number
}

export const flowsFolder = fileURLToPath(new URL('../../receivers/flows', import.meta.url))
const ROWS_MAX = 4096

export class FlowReceiver {
  readonly rows: FlowRow[] = []
  readonly host: TestHost
  readonly #receiver: Receiver

  private constructor(receiver: Receiver, host: TestHost) {
    this.#receiver = receiver
    this.host = host
  }

  /** Closed with the test at the latest. */
  static async open(
    t: TestContext,
    options: FlowOptions = {},
    more: TestHostOptions = {},
  ): Promise<FlowReceiver> {
    const host = testHost({ id: 'flows', folder: flowsFolder, ...more })
    const config = {
      interfaces: ['auto'],
      exclude_interfaces: [],
      interval: 100,
      idle_timeout: 60_000,
      ended_timeout: 5000,
      table_size: 65_536,
      ...options,
    }
    const receiver = await flows.open(config as never, host)
    t.after(() => receiver.close())
    return new FlowReceiver(receiver, host)
  }

  /** Reads until there is nothing now. @returns how many calls gave a batch. */
  read(): number {
    for (let batches = 0; ; batches++) {
      const batch = this.#receiver.read(ROWS_MAX)
      if (!batch) return batches
      this.rows.push(...rowsOf(batch))
    }
  }

  /** Reads on until the rows so far satisfy a condition. */
  async readUntil(what: string, condition: () => boolean): Promise<void> {
    await until(what, () => {
      this.read()
      return condition()
    })
  }

  finish(): void {
    this.#receiver.finish!()
  }

  /** What core does at shutdown: the last reads, then close. */
  async end(): Promise<readonly FlowRow[]> {
    this.finish()
    this.read()
    await this.#receiver.close()
    return this.rows
  }
}

export function rowsOf(batch: Batch): FlowRow[] {
  return Array.from({ length: batch.length }, (_, row) => {
    const cells = Object.entries(batch.columns).map(([name, kind]) => {
      const column = batch.data[name] as Float64Array & Uint8Array
      if (kind === 'address') return [name, formatAddress(column, row * 16)]
      return [name, kind === 'text' ? batch.text[column[row]!] : column[row]]
    })
    return Object.fromEntries(cells) as FlowRow
  })
}

/** Rows that have these cells. */
export function where(rows: readonly FlowRow[], cells: Partial<FlowRow>): FlowRow[] {
  const wanted = Object.entries(cells) as [keyof FlowRow, string | number][]
  return rows.filter(row => wanted.every(([name, value]) => row[name] === value))
}

export function sum(rows: readonly FlowRow[], column: Counted): number {
  return rows.reduce((total, row) => total + row[column], 0)
}
