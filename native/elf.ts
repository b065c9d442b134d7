/**
 * Reads sections and symbols of a little-endian 64-bit ELF file, as clang writes them for BPF.
 *
 * Just enough for `.BTF`, `.rodata` and the names of settings. A file that is no such ELF, or that
 * is cut short, gives one sentence and never a read outside the bytes.
 */

export interface ElfSection {
  readonly name: string
  readonly bytes: Uint8Array
}

export interface ElfSymbol {
  readonly name: string
  /** Name of the section it lies in; empty for undefined and absolute symbols. */
  readonly section: string
  /** Offset in that section. */
  readonly offset: number
  readonly size: number
}

export interface Elf {
  readonly sections: readonly ElfSection[]
  readonly symbols: readonly ElfSymbol[]
}

const symbolSize = 24
const sectionHeaderSize = 64
const sectionTypeSymbols = 2
const sectionTypeNoBits = 8

/** @throws Error when the bytes are not an ELF file of the expected kind. */
export function readElf(bytes: Uint8Array): Elf {
  try {
    return parse(bytes)
  } catch (error) {
    throw new Error(`not a BPF object file: ${(error as Error).message}`)
  }
}

/** The bytes of a section, or null. */
export function sectionOf(elf: Elf, name: string): Uint8Array | null {
  return elf.sections.find(section => section.name === name)?.bytes ?? null
}

/** Reads the NUL-terminated string at `offset`. */
export function stringAt(bytes: Uint8Array, offset: number): string {
  const end = bytes.indexOf(0, offset)
  if (offset >= bytes.length || end < 0) throw new Error(`no string at ${offset}`)
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, end - offset).toString('utf8')
}

function parse(bytes: Uint8Array): Elf {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0) !== 0x7f454c46) throw new Error('the ELF magic is missing')
  if (bytes[4] !== 2 || bytes[5] !== 1) throw new Error('not 64-bit little-endian')
  const table = Number(view.getBigUint64(40, true))
  const count = view.getUint16(60, true)
  const namesIndex = view.getUint16(62, true)
  const header = (index: number) => table + index * sectionHeaderSize
  const body = (index: number) => {
    const at = header(index)
    const offset = Number(view.getBigUint64(at + 24, true))
    const size = Number(view.getBigUint64(at + 32, true))
    if (view.getUint32(at + 4, true) === sectionTypeNoBits) return new Uint8Array(size)
    if (offset + size > bytes.length) throw new Error(`section ${index} is cut short`)
    return bytes.subarray(offset, offset + size)
  }
  if (namesIndex >= count) throw new Error('the section names are missing')
  const names = body(namesIndex)
  const sections: ElfSection[] = []
  for (let index = 0; index < count; index++) {
    sections.push({
      name: stringAt(names, view.getUint32(header(index), true)),
      bytes: body(index),
    })
  }
  const symbols: ElfSymbol[] = []
  for (let index = 0; index < count; index++) {
    if (view.getUint32(header(index) + 4, true) !== sectionTypeSymbols) continue
    const strings = sections[view.getUint32(header(index) + 40, true)]
    if (!strings) throw new Error('the symbol names are missing')
    symbols.push(...readSymbols(sections[index]!.bytes, strings.bytes, sections))
  }
  return { sections, symbols }
}

function readSymbols(bytes: Uint8Array, strings: Uint8Array, sections: ElfSection[]): ElfSymbol[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const symbols: ElfSymbol[] = []
  for (let at = 0; at + symbolSize <= bytes.length; at += symbolSize) {
    const index = view.getUint16(at + 6, true)
    symbols.push({
      name: stringAt(strings, view.getUint32(at, true)),
      section: index === 0 ? '' : (sections[index]?.name ?? ''),
      offset: Number(view.getBigUint64(at + 8, true)),
      size: Number(view.getBigUint64(at + 16, true)),
    })
  }
  return symbols
}
