/**
 * What waits in a branch's queue, and how much room it takes there.
 */
import { type Batch, batchBytes } from '../batch.ts'
import type { QueueConfig } from '../plan_types.ts'
import type { SeriesView } from '../series.ts'
import type { Lease } from './lease.ts'
import type { Account } from './ledger.ts'

/** One batch on its way to the exporter. */
export interface Waiting {
  readonly batch: Batch
  readonly series: SeriesView | undefined
  readonly account: Account
  readonly size: number
  readonly number: number
  readonly lease: Lease | undefined
  /** Its rows are in the books already. */
  settled: boolean
}

/** Room that a batch takes, in units of the queue's sizer. */
export function sizeOf(batch: Batch, sizer: QueueConfig['sizer']): number {
  if (sizer === 'requests') return 1
  return sizer === 'items' ? batch.length : batchBytes(batch)
}
