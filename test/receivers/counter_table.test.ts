/**
 * The table of last readings against a Map, under a long random series of additions and deletions.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CounterTable } from '../../receivers/counter_table.ts'

/** xorshift32: the same series every time. */
function randomNumbers(state: number): (below: number) => number {
  return below => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

test('every key keeps its own values through growth and deletion', () => {
  const random = randomNumbers(42)
  const table = new CounterTable(3, 2, 7)
  const known = new Map<number, number>()
  const words = new Uint32Array(6)
  const entryOf = (key: number) => {
    words.set([key, 0, key * 2654435761], 3)
    return table.findOrAdd(words, 3)
  }
  for (let step = 0; step < 60_000; step++) {
    const key = random(4000)
    const entry = entryOf(key)
    assert.equal(table.values[entry * 2], known.get(key) ?? 0, `step ${step}`)
    if (random(3) === 0) {
      table.delete(entry)
      known.delete(key)
    } else {
      table.values[entry * 2] = step
      known.set(key, step)
    }
    assert.equal(table.length, known.size)
  }
  for (const [key, value] of known) assert.equal(table.values[entryOf(key) * 2], value)
  assert.ok(known.size > 1000)
})

test('keys that differ in one bit are different', () => {
  const table = new CounterTable(12, 1)
  const words = new Uint32Array(12)
  const entries = new Set<number>()
  for (let bit = 0; bit < 12 * 32; bit++) {
    words.fill(0)
    words[bit >> 5] = 2 ** (bit & 31)
    entries.add(table.findOrAdd(words, 0))
  }
  assert.equal(entries.size, 384)
})
