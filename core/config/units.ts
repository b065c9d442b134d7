/**
 * Times and sizes as people write them. A bare number is refused: the Collector reads `10` as ten
 * nanoseconds, and nobody ever meant that.
 */

const MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/**
 * Milliseconds of `1h30m`, `250ms`, `1.5s`, `0`; undefined when it is none. Units: ns us ms s m h
 * d.
 */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h|d))+$/.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d*)?)([a-zµ]+)/g)) {
    total += Number(amount) * MS[unit]
  }
  return total
}

/** Bytes of `64MiB`, `10MB`, `512B`, `0`; undefined when it is none. Rounded to whole bytes. */
export function parseSize(text: string): number | undefined {
  if (text === '0') return 0
  const match = /^(\d+(?:\.\d*)?)([A-Za-z]+)$/.exec(text)
  const unit = match ? BYTES[match[2]] : undefined
  return match && unit !== undefined ? Math.round(Number(match[1]) * unit) : undefined
}

/** Milliseconds as they would be written: `1h30m`, `250ms`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0'
  let rest = ms
  let text = ''
  for (const unit of ['h', 'm', 's', 'ms', 'us', 'ns'] as const) {
    const count = unit === 'ns' ? Math.round(rest / MS.ns) : Math.floor(rest / MS[unit] + 1e-9)
    if (count > 0) text += `${count}${unit}`
    rest -= count * MS[unit]
  }
  return text
}

/** Bytes as they would be written: `64MiB`, `10MB`, `512B`. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return '0'
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB', 'TB', 'GB', 'MB', 'KB']) {
    if (bytes % BYTES[unit] === 0) return `${bytes / BYTES[unit]}${unit}`
  }
  return `${bytes}B`
}

/** Why `text` is no duration and what to write. */
export function durationMistake(text: string): string {
  if (/^-/.test(text)) return `"${text}" is negative; a time is 0 or more`
  if (isBareNumber(text)) {
    return `${text} has no unit; write ${text}s, or ${text}ms, ${text}m, ${text}h`
  }
  return `"${text}" is no time; write it like 250ms, 10s or 1h30m`
}

/** Why `text` is no size and what to write. */
export function sizeMistake(text: string): string {
  if (/^-/.test(text)) return `"${text}" is negative; a size is 0 or more`
  if (isBareNumber(text)) {
    return `${text} has no unit; write ${text}B, or ${text}KiB, ${text}MiB, ${text}GiB`
  }
  const near = /^(\d+(?:\.\d*)?)\s*([kmgt])(i?)b?$/i.exec(text)
  if (near) {
    const [, amount, letter, binary] = near
    const unit = letter.toUpperCase()
    if (binary) return `"${text}" is no size, did you mean "${amount}${unit}iB"?`
    return `"${text}" is no size, did you mean "${amount}${unit}iB" or "${amount}${unit}B"?`
  }
  return `"${text}" is no size; write it like 512B, 64KiB or 10MB`
}

function isBareNumber(text: string): boolean {
  return /^\d+(\.\d+)?$/.test(text)
}
