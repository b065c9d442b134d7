/**
 * Labels of a series: how a cell becomes words of a key, and the words become text when a series is
 * born.
 *
 * Numbers and addresses are their own words. Texts are ids of `TextIds`. Mapped cells are places in
 * the map's list of words, so that two values with one name are one series.
 */
import type { Kind } from '../../core/index.ts'
import { formatAddress } from '../address.ts'
import type { Kernel } from '../kernel.ts'
import { protocolName } from '../maps.ts'
import type { TextIds } from '../texts.ts'

export interface Label {
  readonly name: string
  readonly column: string
  /** `protocol_names`, `address_family`, words by value, or null: the value itself. */
  readonly map: string | Readonly<Record<string, string>> | null
  readonly otherwise: string
}

export interface LabelCodec {
  /** 32-bit words of the key. */
  readonly width: number
  /**
   * What the words are: keys are comparable between tables when these are equal. `text`: an id of
   * `TextIds`.
   */
  readonly words: 'text' | 'integer' | 'double' | 'address' | 'mapped'
  /** Code of each word over `row`. The kernel has a parameter `texts`. */
  code(kernel: Kernel): readonly string[]
  /** Called once per series. */
  text(words: Uint32Array, at: number, texts: TextIds): string
}

/** @returns null when the label's map does not fit columns of this kind. */
export function labelCodec(label: Label, kind: Kind): LabelCodec | null {
  if (label.map !== null) return mappedCodec(label, label.map, kind)
  switch (kind) {
    case 'text':
      return textCodec(label.column)
    case 'address':
      return addressCodec(label.column)
    case 'number':
      return doubleCodec(label.column)
    case 'bytes':
      return null
    default:
      return {
        width: 1,
        words: 'integer',
        code: kernel => [`${kernel.column(label.column)}[row]`],
        text: (words, at) => String(words[at]),
      }
  }
}

function textCodec(column: string): LabelCodec {
  return {
    width: 1,
    words: 'text',
    code: kernel => [kernel.textId(`${kernel.column(column)}[row]`)],
    text: (words, at, texts) => texts.get(words[at]),
  }
}

function addressCodec(column: string): LabelCodec {
  return {
    width: 4,
    words: 'address',
    code: kernel => [0, 1, 2, 3].map(i => `${kernel.words(column)}[4 * row + ${i}]`),
    text: (words, at) => {
      const bytes = new Uint8Array(words.slice(at, at + 4).buffer)
      return bytes.every(byte => byte === 0) ? '' : formatAddress(bytes)
    },
  }
}

function doubleCodec(column: string): LabelCodec {
  return {
    width: 2,
    words: 'double',
    code: kernel => {
      const array = kernel.column(column)
      const words = kernel.before(
        `halves ${column}`,
        `new Uint32Array(${array}.buffer, ${array}.byteOffset, 2 * ${array}.length)`,
      )
      return [`${words}[2 * row]`, `${words}[2 * row + 1]`]
    },
    text: (words, at) => String(new Float64Array(words.slice(at, at + 2).buffer)[0]),
  }
}

function mappedCodec(label: Label, map: NonNullable<Label['map']>, kind: Kind): LabelCodec | null {
  if (map === 'address_family') return kind === 'address' ? familyCodec(label.column) : null
  if (map === 'protocol_names') return kind === 'u8' ? protocolCodec(label.column) : null
  if (typeof map === 'string' || kind === 'address' || kind === 'bytes') return null
  // A word for a value that no number equals would never be seen.
  if (
    kind !== 'text' &&
    !Object.keys(map).every(value => value !== '' && Number.isFinite(Number(value)))
  )
    return null
  const words = [...new Set([label.otherwise, ...Object.values(map)])]
  const place = new Map<string | number, number>()
  for (const [value, word] of Object.entries(map)) {
    place.set(kind === 'text' ? value : Number(value), words.indexOf(word))
  }
  return {
    width: 1,
    words: 'mapped',
    code: kernel => [mapCode(kernel, label.column, kind, place)],
    text: (keys, at) => words[keys[at]],
  }
}

function mapCode(
  kernel: Kernel,
  column: string,
  kind: Kind,
  place: ReadonlyMap<string | number, number>,
): string {
  const cell = `${kernel.column(column)}[row]`
  if (kind === 'u8') {
    const table = Uint8Array.from({ length: 256 }, (_, value) => place.get(value) ?? 0)
    return `${kernel.constant(table)}[${cell}]`
  }
  if (kind !== 'text')
    return `${kernel.constant((value: number) => place.get(value) ?? 0)}(${cell})`
  const memo = kernel.before(
    `map ${column} ${JSON.stringify([...place])}`,
    'new Int32Array(batch.text.length)',
  )
  const ask = (seen: Int32Array, text: readonly string[], at: number) => {
    seen[at] = (place.get(text[at]) ?? 0) + 1
    return seen[at]
  }
  return `(${memo}[${cell}] || ${kernel.constant(ask)}(${memo}, batch.text, ${cell})) - 1`
}

function protocolCodec(column: string): LabelCodec {
  return {
    width: 1,
    words: 'mapped',
    code: kernel => [`${kernel.column(column)}[row]`],
    text: (words, at) => protocolName(words[at]),
  }
}

const FAMILIES = ['', 'ipv4', 'ipv6']
/** The word of ::ffff:0:0 in this machine's byte order. */
const MAPPED_WORD = new Uint32Array(Uint8Array.of(0, 0, 0xff, 0xff).buffer)[0]

/** The zero address stands for "not known" and has no family. */
function familyCodec(column: string): LabelCodec {
  return {
    width: 1,
    words: 'mapped',
    code: kernel => {
      const [a, b, c, d] = [0, 1, 2, 3].map(i => `${kernel.words(column)}[4 * row + ${i}]`)
      return [`(${a} | ${b}) !== 0 ? 2 : ${c} === ${MAPPED_WORD} ? 1 : (${c} | ${d}) !== 0 ? 2 : 0`]
    },
    text: (words, at) => FAMILIES[words[at]],
  }
}
