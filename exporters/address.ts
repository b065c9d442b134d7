/**
 * Addresses as text, written straight from the 16 bytes of an `address` column into an output
 * buffer. IPv4-mapped addresses are dotted, all others follow RFC 5952. Exporters that print rows
 * share it, because making a string per row first would cost more than the rest of the row.
 */

/** Longest text: eight groups of four digits. */
export const ADDRESS_TEXT_MAX = 39

const HEX = Uint8Array.from('0123456789abcdef', c => c.charCodeAt(0))
const COLON = 0x3a
const DOT = 0x2e
const scratch = Buffer.alloc(ADDRESS_TEXT_MAX)

/** True for ::ffff:0:0/96, which stands for an IPv4 address. */
export function isIpv4(from: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) if (from[at + i] !== 0) return false
  return from[at + 10] === 0xff && from[at + 11] === 0xff
}

/** True for `::`, which in our columns means "none". */
export function isNoAddress(from: Uint8Array, at: number): boolean {
  for (let i = 0; i < 16; i++) if (from[at + i] !== 0) return false
  return true
}

/**
 * Writes the address as ASCII at `to`; returns the position after it. Needs ADDRESS_TEXT_MAX bytes
 * of room.
 */
export function writeAddress(into: Uint8Array, to: number, from: Uint8Array, at: number): number {
  return isIpv4(from, at) ? writeIpv4(into, to, from, at + 12) : writeIpv6(into, to, from, at)
}

/** The same as a string, for the few rows that people read. */
export function addressText(from: Uint8Array, at: number): string {
  return scratch.toString('latin1', 0, writeAddress(scratch, 0, from, at))
}

function writeIpv4(into: Uint8Array, start: number, from: Uint8Array, at: number): number {
  let to = start
  for (let i = 0; i < 4; i++) {
    const value = from[at + i]
    if (i > 0) into[to++] = DOT
    if (value >= 100) into[to++] = 48 + ((value / 100) | 0)
    if (value >= 10) into[to++] = 48 + (((value / 10) | 0) % 10)
    into[to++] = 48 + (value % 10)
  }
  return to
}

function writeIpv6(into: Uint8Array, start: number, from: Uint8Array, at: number): number {
  let to = start
  let zerosAt = -1
  let zeros = 1
  for (let group = 0, run = 0; group < 8; group++) {
    run = from[at + 2 * group] === 0 && from[at + 2 * group + 1] === 0 ? run + 1 : 0
    if (run > zeros) {
      zeros = run
      zerosAt = group - run + 1
    }
  }
  for (let group = 0; group < 8; group++) {
    if (group === zerosAt) {
      into[to++] = COLON
      if (group === 0) into[to++] = COLON
      group += zeros - 1
      continue
    }
    to = writeGroup(into, to, (from[at + 2 * group] << 8) | from[at + 2 * group + 1])
    if (group < 7) into[to++] = COLON
  }
  return to
}

function writeGroup(into: Uint8Array, start: number, value: number): number {
  let to = start
  if (value >= 0x1000) into[to++] = HEX[value >> 12]
  if (value >= 0x100) into[to++] = HEX[(value >> 8) & 15]
  if (value >= 0x10) into[to++] = HEX[(value >> 4) & 15]
  into[to++] = HEX[value & 15]
  return to
}
