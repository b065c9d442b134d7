/**
 * Numbers as people read them: three digits, decimal prefixes, and times in the two largest units.
 */

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P']

/** `0`, `3.2`, `86`, `1.23 k`, `98.1 M`: at most six characters up to 999 P. */
export function scaled(value: number): string {
  let rest = value
  let prefix = 0
  // 999.5 would round to "1000", one digit too many.
  while (rest >= 999.5 && prefix < PREFIXES.length - 1) {
    rest /= 1000
    prefix++
  }
  if (prefix === 0)
    return rest < 9.95 && !Number.isInteger(rest) ? rest.toFixed(1) : rest.toFixed(0)
  return `${rest.toPrecision(3)} ${PREFIXES[prefix]}`
}

/** `98.1 Mbit/s` of bytes a second. */
export function bitRate(bytesPerSecond: number): string {
  const text = scaled(8 * bytesPerSecond)
  return `${text}${text.includes(' ') ? '' : ' '}bit/s`
}

/** `42s`, `3m 12s`, `5h 02m`, `12d 03h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const [days, hours, minutes] = [86400, 3600, 60].map(unit => Math.floor(seconds / unit))
  const two = (value: number) => String(value).padStart(2, '0')
  if (days > 0) return `${days}d ${two(hours % 24)}h`
  if (hours > 0) return `${hours}h ${two(minutes % 60)}m`
  if (minutes > 0) return `${minutes}m ${two(seconds % 60)}s`
  return `${seconds}s`
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`
}
