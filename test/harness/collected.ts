/**
 * What the exporters of `faulty_plugin.ts` accepted, by id: the shelf between a plugin and the test
 * that runs it.
 */

export interface Collected {
  rows: number
  packets: number
  batches: number
  tags: Set<number>
  /** Value by label at the end, from the series view that came with the writes. */
  series: Map<string, number>
}

export const collected = new Map<string, Collected>()
