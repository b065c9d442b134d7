/**
 * The rows of the components that misbehave on purpose, and the dice they throw.
 */
import type { Batch } from 'fovea'

export const ROW = { time_us: 'number', number: 'u32', packets: 'number', name: 'text' } as const
export type Rows = Batch<typeof ROW>

/** A small generator of its own, so that a failing graph can be run again. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
