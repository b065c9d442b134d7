/**
 * Reads BTF, the type format of BPF objects and of the kernel (`Documentation/bpf/btf.rst`).
 *
 * Object files are small and are read whole into `BtfType`s. The kernel's own BTF has some hundred
 * thousand types: `findType` walks it by numbers alone, so that one enum costs milliseconds and
 * leaves nothing behind.
 */
import { stringAt } from './elf.ts'

export type BtfKind = keyof typeof kindNumbers

export interface BtfMember {
  readonly name: string
  readonly type: number
  /** Bits from the start of the struct; entries of a datasec: bytes. */
  readonly offset: number
  /** Bit-field width, 0 for a plain member; entries of a datasec: their size in bytes. */
  readonly size: number
}

export interface BtfType {
  readonly id: number
  readonly kind: BtfKind
  readonly name: string
  /** Bytes (int, struct, union, enum, datasec), else 0. */
  readonly size: number
  /** The type pointed to, aliased, held or tagged, else 0. */
  readonly target: number
  /** int: the type is signed. */
  readonly signed: boolean
  /** array: number of elements; decl_tag: index of the member it marks, -1 the type itself. */
  readonly count: number
  readonly members: readonly BtfMember[]
  readonly values: ReadonlyMap<string, number>
}

const kindNumbers = {
  void: 0,
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  prototype: 13,
  variable: 14,
  datasec: 15,
  float: 16,
  decl_tag: 17,
  type_tag: 18,
  enum64: 19,
} as const
const kindNames = Object.keys(kindNumbers) as BtfKind[]
const sized = new Set<BtfKind>(['int', 'struct', 'union', 'enum', 'enum64', 'datasec', 'float'])

/** Bytes after the common 12, fixed and per element, by kind number. */
const fixedTail = [0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0]
const elementTail = [0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12]

interface Parts {
  readonly types: DataView
  readonly strings: Uint8Array
}

/** All types of a BTF section by id; id 0 is void. @throws Error on malformed bytes. */
export function readBtf(bytes: Uint8Array): BtfType[] {
  const parts = split(bytes)
  const none: BtfType = {
    id: 0,
    kind: 'void',
    name: 'void',
    size: 0,
    target: 0,
    signed: false,
    count: 0,
    members: [],
    values: new Map(),
  }
  const types = [none]
  walk(parts.types, at => {
    types.push(readType(parts, at, types.length))
    return true
  })
  return types
}

/** The first type of this kind and name, or null; cheap even in the kernel's BTF. */
export function findType(bytes: Uint8Array, kinds: readonly BtfKind[], name: string) {
  const parts = split(bytes)
  const needle = Buffer.from(`\0${name}\0`)
  const index = Buffer.from(
    parts.strings.buffer,
    parts.strings.byteOffset,
    parts.strings.length,
  ).indexOf(needle)
  if (index < 0) return null
  const wanted = new Set<number>(kinds.map(kind => kindNumbers[kind]))
  let found: BtfType | null = null
  let id = 0
  walk(parts.types, at => {
    id++
    if (parts.types.getUint32(at, true) !== index + 1) return true
    if (!wanted.has((parts.types.getUint32(at + 4, true) >>> 24) & 31)) return true
    found = readType(parts, at, id)
    return false
  })
  return found as BtfType | null
}

function split(bytes: Uint8Array): Parts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 24 || view.getUint16(0, true) !== 0xeb9f) throw new Error('not BTF')
  const header = view.getUint32(4, true)
  const part = (at: number) => {
    const offset = header + view.getUint32(at, true)
    const size = view.getUint32(at + 4, true)
    if (offset + size > bytes.length) throw new Error('BTF is cut short')
    return bytes.subarray(offset, offset + size)
  }
  const types = part(8)
  return {
    types: new DataView(types.buffer, types.byteOffset, types.byteLength),
    strings: part(16),
  }
}

/** Calls `visit` with the offset of each type until it says false. */
function walk(types: DataView, visit: (at: number) => boolean): void {
  for (let at = 0; at < types.byteLength; ) {
    const info = types.getUint32(at + 4, true)
    const kind = (info >>> 24) & 31
    if (kind >= fixedTail.length) throw new Error(`unknown BTF kind ${kind}`)
    if (!visit(at)) return
    at += 12 + fixedTail[kind]! + elementTail[kind]! * (info & 0xffff)
  }
}

function readType({ types, strings }: Parts, at: number, id: number): BtfType {
  const info = types.getUint32(at + 4, true)
  const number = (info >>> 24) & 31
  const kind = kindNames[number]!
  const word = (offset: number) => types.getUint32(at + 12 + offset, true)
  const third = types.getUint32(at + 8, true)
  const isSized = sized.has(kind)
  return {
    id,
    kind,
    name: stringAt(strings, types.getUint32(at, true)),
    size: isSized ? third : 0,
    target: kind === 'array' ? word(0) : isSized ? 0 : third,
    signed: kind === 'int' && ((word(0) >>> 24) & 1) === 1,
    count: kind === 'array' ? word(8) : kind === 'decl_tag' ? word(0) | 0 : 0,
    members: readMembers(types, strings, at, kind, info),
    values: readValues(types, strings, at, kind, info),
  }
}

function readMembers(
  types: DataView,
  strings: Uint8Array,
  at: number,
  kind: BtfKind,
  info: number,
): BtfMember[] {
  const members: BtfMember[] = []
  if (kind !== 'struct' && kind !== 'union' && kind !== 'datasec') return members
  const bitfields = info >>> 31 === 1
  for (let index = 0; index < (info & 0xffff); index++) {
    const first = types.getUint32(at + 12 + index * 12, true)
    const second = types.getUint32(at + 16 + index * 12, true)
    const third = types.getUint32(at + 20 + index * 12, true)
    if (kind === 'datasec') members.push({ name: '', type: first, offset: second, size: third })
    else {
      const offset = bitfields ? third & 0xffffff : third
      const size = bitfields ? third >>> 24 : 0
      members.push({ name: stringAt(strings, first), type: second, offset, size })
    }
  }
  return members
}

function readValues(
  types: DataView,
  strings: Uint8Array,
  at: number,
  kind: BtfKind,
  info: number,
): Map<string, number> {
  const values = new Map<string, number>()
  const signed = info >>> 31 === 1
  for (let index = 0; index < (info & 0xffff); index++) {
    if (kind === 'enum') {
      const offset = at + 12 + index * 8
      const value = signed ? types.getInt32(offset + 4, true) : types.getUint32(offset + 4, true)
      values.set(stringAt(strings, types.getUint32(offset, true)), value)
    } else if (kind === 'enum64') {
      const offset = at + 12 + index * 12
      const low = types.getUint32(offset + 4, true)
      const high = signed ? types.getInt32(offset + 8, true) : types.getUint32(offset + 8, true)
      values.set(stringAt(strings, types.getUint32(offset, true)), high * 2 ** 32 + low)
    }
  }
  return values
}
