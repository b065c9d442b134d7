/**
 * Numbers as text, written straight into a buffer.
 *
 * Most values that Fovea exports are whole; those are written digit by digit without a string.
 * All others take JavaScript's own text, which is the shortest that reads back as the same
 * double, as Go's is.
 */

/** No number needs more than this: sign, 17 digits, point, exponent. */
export const NUMBER_BYTES_MAX = 25
const BILLION = 1e9

/** Writes `value` at `out[at]` and returns the end. */
export function writeNumber(out: Buffer, at: number, value: number): number {
  if (value >= 0 && value <= Number.MAX_SAFE_INTEGER && Math.floor(value) === value) {
    return writeWhole(out, at, value)
  }
  return at + out.write(numberText(value), at, 'latin1')
}

export function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}

/** OpenMetrics' canonical form of a bucket's bound: `1.0`, not `1`. */
export function canonicalText(value: number): string {
  const text = numberText(value)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}

function writeWhole(out: Buffer, at: number, value: number): number {
  if (value < BILLION) return writeSmall(out, at, value | 0, 1)
  const high = Math.floor(value / BILLION)
  const end = writeSmall(out, at, high, 1)
  return writeSmall(out, end, value - high * BILLION, 9)
}

/** At least `digits` digits of a number below 10^9. */
function writeSmall(out: Buffer, at: number, value: number, digits: number): number {
  let width = digits
  for (let limit = 10 ** width; value >= limit; limit *= 10) width++
  let rest = value | 0
  for (let i = at + width - 1; i >= at; i--) {
    const next = (rest / 10) | 0
    out[i] = 48 + rest - next * 10
    rest = next
  }
  return at + width
}
