/**
 * Addresses as text: parsing and writing of IPv4, IPv6 and networks in CIDR form.
 *
 * In a batch an address is 16 bytes, IPv4 mapped to ::ffff:0:0/96, so one comparison serves both
 * families.
 */

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

/**
 * 16 bytes, or null when `text` is no address. Accepts what RFC 4291 section 2.2 allows, without
 * zone.
 */
export function parseAddress(text: string): Uint8Array | null {
  const four = parseFour(text)
  if (four) return Uint8Array.from([...MAPPED, ...four])
  if (!text.includes(':')) return null
  const halves = text.split('::')
  if (halves.length > 2) return null
  const head = parseGroups(halves[0], halves.length === 1)
  const tail = halves.length === 2 ? parseGroups(halves[1], true) : []
  if (!head || !tail) return null
  const gap = 16 - head.length - tail.length
  if (halves.length === 2 ? gap < 2 : gap !== 0) return null
  return Uint8Array.from([...head, ...new Array<number>(gap).fill(0), ...tail])
}

function parseFour(text: string): number[] | null {
  const parts = text.split('.')
  if (parts.length !== 4) return null
  const bytes = parts.map(part => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256))
  return bytes.every(byte => byte < 256) ? bytes : null
}

/** Bytes of `a:b:c`; the last group may be dotted where `last` says so. */
function parseGroups(text: string, last: boolean): number[] | null {
  if (text === '') return []
  const bytes: number[] = []
  const groups = text.split(':')
  for (let i = 0; i < groups.length; i++) {
    const four = last && i === groups.length - 1 ? parseFour(groups[i]) : null
    if (four) {
      bytes.push(...four)
    } else if (/^[0-9a-f]{1,4}$/i.test(groups[i])) {
      const value = Number.parseInt(groups[i], 16)
      bytes.push(value >> 8, value & 0xff)
    } else {
      return null
    }
  }
  return bytes
}

export interface Network {
  /**
   * The network's address and mask as four words in this machine's byte order, as a Uint32Array
   * sees a column.
   */
  readonly words: Uint32Array
  readonly mask: Uint32Array
}

/**
 * `10.0.0.0/8`, `fd00::/8`, or a single address; null when `text` is neither. Bits below the mask
 * are ignored.
 */
export function parseNetwork(text: string): Network | null {
  const [host, length, rest] = text.split('/')
  const address = parseAddress(host)
  if (!address || rest !== undefined) return null
  const dotted = !host.includes(':')
  let bits = 128
  if (length !== undefined) {
    if (!/^\d{1,3}$/.test(length) || Number(length) > (dotted ? 32 : 128)) return null
    bits = Number(length) + (dotted ? 96 : 0)
  }
  const mask = new Uint8Array(16)
  for (let bit = 0; bit < bits; bit++) mask[bit >> 3] |= 0x80 >> (bit & 7)
  for (let i = 0; i < 16; i++) address[i] &= mask[i]
  return { words: new Uint32Array(address.buffer), mask: new Uint32Array(mask.buffer) }
}

/** True for IPv4, which stands mapped at ::ffff:0:0/96. */
export function isMapped(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 12; i++) if (bytes[at + i] !== MAPPED[i]) return false
  return true
}

/**
 * Dotted for IPv4, else RFC 5952: lower case, the longest run of two or more zero groups as `::`.
 */
export function formatAddress(bytes: Uint8Array, at = 0): string {
  if (isMapped(bytes, at)) {
    return `${bytes[at + 12]}.${bytes[at + 13]}.${bytes[at + 14]}.${bytes[at + 15]}`
  }
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push((bytes[at + i] << 8) | bytes[at + i + 1])
  let from = -1
  let longest = 1
  for (let i = 0; i < 8; i++) {
    let run = 0
    while (i + run < 8 && groups[i + run] === 0) run++
    if (run > longest) {
      longest = run
      from = i
    }
    i += run
  }
  const hex = groups.map(group => group.toString(16))
  if (from < 0) return hex.join(':')
  return `${hex.slice(0, from).join(':')}::${hex.slice(from + longest).join(':')}`
}
