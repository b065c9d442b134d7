/**
 * Gives bytes their meaning: struct layouts and settings, read from the BTF of an object file.
 *
 * A C struct marked SHARED (`native/bpf/kernel.h`) is the one source of truth; its offsets come
 * from the compiler and are never typed by hand. What cannot be read safely at a fixed offset is
 * refused here, when the layout is generated, and never found at run time.
 */
import { createHash } from 'node:crypto'
import { type BtfType, readBtf } from './btf.ts'
import { readElf, sectionOf } from './elf.ts'

export type FieldType = 'u8' | 'u16' | 'u32' | 'u64' | 'bytes'

export interface Field {
  /** Bytes from the start of the struct, a multiple of the width of `type`. */
  readonly offset: number
  readonly type: FieldType
  /** Number of elements: 1 for a plain field, bytes for `bytes`. */
  readonly length: number
}

export interface Layout {
  /** Bytes, a multiple of 8. */
  readonly size: number
  readonly fields: Readonly<Record<string, Field>>
}

export interface Layouts {
  /** By C name, in the order of the object's BTF. */
  readonly structs: ReadonlyMap<string, Layout>
  /** Numbers by name, by C name of the enum. */
  readonly enums: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** First 16 hex digits of the SHA-256 of what BTF says of these structs and enums. */
  readonly btfHash: string
}

export interface Setting {
  /** Bytes from the start of .rodata. */
  readonly offset: number
  /** Width in bytes: 1, 2, 4 or 8. */
  readonly size: number
  readonly signed: boolean
}

const scalars: Readonly<Record<number, FieldType>> = { 1: 'u8', 2: 'u16', 4: 'u32', 8: 'u64' }
const widths: Readonly<Record<FieldType, number>> = { u8: 1, u16: 2, u32: 4, u64: 8, bytes: 1 }
/** C types whose width depends on the machine or is not visible in the name. */
const fixedNames = /^(__u|__be|__le|__sum|u|uint)(8|16|32|64)(_t)?$/

/**
 * Names the shared structs and enums on a tape: other code with the same structs reads the same
 * bytes.
 */
export function btfHashOf(object: Uint8Array): string {
  return readLayouts(object).btfHash
}

/**
 * Every SHARED struct and every enum named by SHARED_TYPE in an object file.
 * @throws Error that lists all refusals: hidden padding, misalignment, no fixed width, odd size.
 */
export function readLayouts(object: Uint8Array): Layouts {
  const types = readBtf(btfOf(object))
  const structs = new Map<string, Layout>()
  const refusals: string[] = []
  for (const type of types) {
    if (type.kind !== 'decl_tag' || type.name !== 'shared' || type.count !== -1) continue
    const struct = types[type.target]!
    if (struct.kind !== 'struct') refusals.push(`${struct.name}: only a struct can be SHARED`)
    else structs.set(struct.name, readLayout(types, struct, refusals))
  }
  if (refusals.length > 0) throw new Error(refusals.join('\n'))
  const enums = readEnums(types)
  const facts = [[...structs], [...enums].map(([name, values]) => [name, [...values]])]
  return { structs, enums, btfHash: hash(Buffer.from(JSON.stringify(facts))) }
}

/** `const volatile` variables of an object file by name, as they lie in .rodata. */
export function readSettings(object: Uint8Array): Map<string, Setting> {
  const elf = readElf(object)
  const types = readBtf(btfOf(object))
  const settings = new Map<string, Setting>()
  const section = types.find(type => type.kind === 'datasec' && type.name === '.rodata')
  for (const member of section?.members ?? []) {
    const variable = types[member.type]!
    const type = resolve(types, variable.target)
    const symbol = elf.symbols.find(one => one.section === '.rodata' && one.name === variable.name)
    if (!symbol || !(type.size in scalars) || !/^(int|enum|enum64)$/.test(type.kind)) continue
    settings.set(variable.name, { offset: symbol.offset, size: type.size, signed: type.signed })
  }
  return settings
}

/**
 * The bytes of one setting.
 * @throws RangeError when the value does not fit the C type or is not whole.
 */
export function settingBytes(name: string, setting: Setting, value: number): Uint8Array {
  const bits = setting.size * 8
  const low = setting.signed ? -(2 ** (bits - 1)) : 0
  const high = Math.min(2 ** (setting.signed ? bits - 1 : bits) - 1, Number.MAX_SAFE_INTEGER)
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`setting ${name}: ${value} is not a whole number from ${low} to ${high}`)
  }
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true)
  return bytes.subarray(0, setting.size)
}

/** Reads a u64 from two halves of a Uint32Array; exact to 2^53. */
export function u64(words: Uint32Array, index: number): number {
  return words[index]! + words[index + 1]! * 4294967296
}

function btfOf(object: Uint8Array): Uint8Array {
  const btf = sectionOf(readElf(object), '.BTF')
  if (!btf) throw new Error('the object has no .BTF section: compile it with -g')
  return btf
}

function hash(btf: Uint8Array): string {
  return createHash('sha256').update(btf).digest('hex').slice(0, 16)
}

/** Follows typedefs and qualifiers to the type that has a size. */
function resolve(types: readonly BtfType[], id: number): BtfType {
  let type = types[id]!
  while (/^(typedef|volatile|const|restrict|type_tag)$/.test(type.kind)) type = types[type.target]!
  return type
}

/** Enums that the object names in its `.shared` section. */
function readEnums(types: readonly BtfType[]): Map<string, ReadonlyMap<string, number>> {
  const enums = new Map<string, ReadonlyMap<string, number>>()
  const section = types.find(type => type.kind === 'datasec' && type.name === '.shared')
  for (const member of section?.members ?? []) {
    const pointer = resolve(types, types[member.type]!.target)
    const type = resolve(types, pointer.target)
    if (type.kind === 'enum' || type.kind === 'enum64') enums.set(type.name, type.values)
  }
  return enums
}

function readLayout(types: readonly BtfType[], struct: BtfType, refusals: string[]): Layout {
  const fields: Record<string, Field> = {}
  let end = 0
  const refuse = (text: string) => refusals.push(`struct ${struct.name}${text}`)
  for (const member of struct.members) {
    const offset = member.offset / 8
    if (member.size > 0) {
      refuse(`.${member.name}: bit-fields have no fixed place, use a whole field`)
      continue
    }
    if (offset > end) {
      refuse(`.${member.name}: ${offset - end} bytes of hidden padding before it, add a pad field`)
    }
    const type = resolve(types, member.type)
    const bytes = sizeOf(types, type)
    end = offset + bytes
    for (const [name, field] of place(types, member.type, member.name, offset, refuse)) {
      if (field.offset % widths[field.type] !== 0) {
        refuse(`.${name}: misaligned, offset ${field.offset} of a ${field.type}`)
      }
      fields[name] = field
    }
  }
  if (struct.size > end) {
    refuse(`: ${struct.size - end} bytes of hidden tail padding, add a pad field`)
  }
  if (struct.size % 8 !== 0) refuse(`: its size ${struct.size} is not a multiple of 8`)
  return { size: struct.size, fields }
}

function sizeOf(types: readonly BtfType[], type: BtfType): number {
  if (type.kind === 'array') return type.count * sizeOf(types, resolve(types, type.target))
  return type.kind === 'pointer' ? 8 : type.size
}

/** The field or, for a struct within the struct, the fields `outer_inner` at this place. */
function place(
  types: readonly BtfType[],
  id: number,
  name: string,
  offset: number,
  refuse: (text: string) => void,
): [string, Field][] {
  const outer = resolve(types, id)
  if (outer.kind === 'struct') {
    const inner = readLayout(types, outer, [])
    return Object.entries(inner.fields).map(([key, field]) => [
      `${name}_${key}`,
      { ...field, offset: field.offset + offset },
    ])
  }
  const isArray = outer.kind === 'array'
  const element = isArray ? outer.target : id
  const type = resolve(types, element)
  const scalar = type.kind === 'int' && !type.signed ? scalars[type.size] : undefined
  if (!scalar || !hasFixedName(types, element)) {
    const shown = type.name === '' ? type.kind : `${type.kind} ${type.name}`
    refuse(`.${name}: ${shown} has no fixed width, use __u8, __u16, __u32 or __u64`)
    return []
  }
  if (!isArray) return [[name, { offset, type: scalar, length: 1 }]]
  return [[name, { offset, type: scalar === 'u8' ? 'bytes' : scalar, length: outer.count }]]
}

/** True when some typedef on the way to the integer states its width. */
function hasFixedName(types: readonly BtfType[], id: number): boolean {
  for (let type = types[id]!; type.kind !== 'int'; type = types[type.target]!) {
    if (type.kind === 'typedef' && fixedNames.test(type.name)) return true
    if (type.kind === 'pointer' || type.target === 0) return false
  }
  return false
}
