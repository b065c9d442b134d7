/**
 * Decimal digits and short byte runs, written straight into an output buffer. `String(value)`
 * allocates a string for each cell; these write a 16-digit time in a few nanoseconds.
 */

/** Widest decimal of a double that JavaScript prints: `-2.2250738585072014e-308`. */
export const NUMBER_MAX = 24
const HALF = 1e8
const MINUS = 0x2d
/**
 * Longer runs are left to the engine's memcpy, whose call costs about as much as this many bytes.
 */
const LOOP_MAX = 48

/** Copies `from[start, end)` to `at`; returns the position after it. */
export function copy(
  into: Uint8Array,
  at: number,
  from: Uint8Array,
  start = 0,
  end = from.length,
): number {
  if (end - start > LOOP_MAX) {
    into.set(from.subarray(start, end), at)
    return at + end - start
  }
  let to = at
  for (let i = start; i < end; i++) into[to++] = from[i]
  return to
}

/** Writes `value` as a JSON number; what JSON cannot say (NaN, infinity) becomes `null`. */
export function writeNumber(into: Buffer, start: number, value: number): number {
  if (!Number.isSafeInteger(value)) return writeOther(into, start, value)
  let at = start
  let rest = value
  if (rest < 0) {
    into[at++] = MINUS
    rest = -rest
  }
  if (rest < HALF) return writeInteger(into, at, rest)
  const high = Math.floor(rest / HALF)
  at = writeInteger(into, at, high)
  writeDigits(into, at, rest - high * HALF, 8)
  return at + 8
}

/** Writes the low `count` digits of an integer below 2^31, with leading zeros. */
export function writeDigits(into: Uint8Array, at: number, value: number, count: number): void {
  let rest = value | 0
  for (let i = at + count - 1; i >= at; i--) {
    const next = (rest / 10) | 0
    into[i] = 48 + rest - next * 10
    rest = next
  }
}

function writeInteger(into: Uint8Array, at: number, value: number): number {
  let count = 1
  for (let limit = 10; value >= limit; limit *= 10) count++
  writeDigits(into, at, value, count)
  return at + count
}

function writeOther(into: Buffer, at: number, value: number): number {
  return at + into.write(Number.isFinite(value) ? String(value) : 'null', at, 'latin1')
}
