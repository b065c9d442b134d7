/** Layouts come from the compiler; what has no fixed place is refused with the remedy. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { findType, readBtf } from '../../native/btf.ts'
import { compile, programsOf, staleFiles } from '../../native/build_bpf.ts'
import { readElf, sectionOf } from '../../native/elf.ts'
import { readLayouts, readSettings, settingBytes } from '../../native/layout.ts'
import { needsRoot, probePath, root, run } from './help.ts'

const probe = readFileSync(probePath)
const target = join(root, 'native/build')
mkdirSync(target, { recursive: true })

/** Compiles some declarations as a program of their own. */
function objectOf(declarations: string): Uint8Array {
  const folder = mkdtempSync(join(target, 'layout-'))
  try {
    const file = join(folder, 'sample.bpf.c')
    writeFileSync(file, `#include "native/bpf/kernel.h"\n${declarations}\n`)
    return compile(root, file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function layoutOf(fields: string) {
  return readLayouts(objectOf(`struct SHARED one { ${fields} }; SHARED_TYPE(struct, one);`))
}

const refused = [
  ['__u32 a; __u64 b;', 'struct one.b: 4 bytes of hidden padding before it, add a pad field'],
  ['__u64 a; __u32 b;', 'struct one: 4 bytes of hidden tail padding, add a pad field'],
  ['__u32 a;', 'struct one: its size 4 is not a multiple of 8'],
  [
    'unsigned long a;',
    'struct one.a: int unsigned long has no fixed width, use __u8, __u16, __u32 or __u64',
  ],
  ['int a; __u32 b;', 'struct one.a: int int has no fixed width, use __u8, __u16, __u32 or __u64'],
  ['__s64 a;', 'struct one.a: int long long has no fixed width, use __u8, __u16, __u32 or __u64'],
  ['void *a;', 'struct one.a: pointer has no fixed width, use __u8, __u16, __u32 or __u64'],
  [
    'union { __u64 b; } a;',
    'struct one.a: union has no fixed width, use __u8, __u16, __u32 or __u64',
  ],
  ['__u64 a : 3;', 'struct one.a: bit-fields have no fixed place, use a whole field'],
  [
    '__u8 a[4]; __u64 b; } __attribute__((packed)); struct two { __u32 c;',
    'struct one.b: misaligned, offset 4 of a u64',
  ],
] as const

for (const [fields, why] of refused) {
  test(`a struct of "${fields}" is refused`, () => {
    assert.throws(
      () => layoutOf(fields),
      error => (error as Error).message.split('\n').includes(why),
    )
  })
}

/** What `--check` says of a program with nothing committed beside it. */
function staleOf(text: string): string[] {
  const folder = mkdtempSync(join(target, 'stale-'))
  try {
    const file = join(folder, 'sample.bpf.c')
    writeFileSync(file, `#include "native/bpf/kernel.h"\n${text}\n`)
    return staleFiles(root, file).map(line => line.replace(/\S*\/sample/g, 'sample'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('a file that is not what its source gives is named with the command to run', () => {
  assert.deepEqual(staleOf('int number = 1;'), [
    'sample.bpf.o is missing. Run: node native/build.ts bpf',
    'sample.generated.ts is not what sample.bpf.c gives. Run: node native/build.ts bpf',
  ])
})

test('a SHARED struct that clang leaves out is refused', () => {
  assert.throws(() => staleOf('struct SHARED unused { __u64 a; }; int number = 1;'), {
    message: /^struct unused is in no map, .* add SHARED_TYPE\(struct, unused\);$/,
  })
})

test('all refusals of an object come at once', () => {
  const error = { message: /^struct one\.a: .*\nstruct one: its size 12 / }
  assert.throws(() => layoutOf('int a; __u32 b; __u32 c;'), error)
})

test('offsets, arrays, network types and structs within structs are those of the compiler', () => {
  const { structs, enums } = readLayouts(
    objectOf(`
      struct inner { __be16 port; __u8 bytes[6]; };
      struct SHARED one { __u64 a; __be32 b; __u32 c[3]; struct inner d; };
      SHARED_TYPE(struct, one);
      enum cause { SMALL = 1, LARGE = 2147483648, };
      SHARED_TYPE(enum, cause);
      enum unnamed { NOT_SHARED };`),
  )
  assert.deepEqual(structs.get('one'), {
    size: 32,
    fields: {
      a: { offset: 0, type: 'u64', length: 1 },
      b: { offset: 8, type: 'u32', length: 1 },
      c: { offset: 12, type: 'u32', length: 3 },
      d_port: { offset: 24, type: 'u16', length: 1 },
      d_bytes: { offset: 26, type: 'bytes', length: 6 },
    },
  })
  assert.deepEqual([...enums.keys()], ['cause'])
  assert.deepEqual(Object.fromEntries(enums.get('cause')!), { SMALL: 1, LARGE: 2147483648 })
})

test('settings lie where the compiler put them', () => {
  const settings = readSettings(probe)
  const section = sectionOf(readElf(probe), '.rodata')!
  const view = new DataView(section.buffer, section.byteOffset, section.length)
  assert.deepEqual([...settings.keys()].sort(), ['added', 'events', 'noisy', 'offset', 'verdict'])
  assert.deepEqual([...settings.values()].map(one => one.size).sort(), [1, 1, 4, 4, 8])
  assert.equal(view.getUint32(settings.get('events')!.offset, true), 1)
  assert.equal(view.getUint8(settings.get('verdict')!.offset), 1)
  assert.equal(settings.get('offset')!.signed, true)
})

test('a setting takes what its C type holds and nothing else', () => {
  const signed = { offset: 0, size: 2, signed: true }
  assert.deepEqual([...settingBytes('a', signed, -2)], [0xfe, 0xff])
  assert.throws(
    () => settingBytes('a', signed, 32768),
    /a: 32768 is not a whole number from -32768 to 32767/,
  )
  const wide = { offset: 0, size: 8, signed: false }
  assert.deepEqual([...settingBytes('b', wide, 2 ** 40)], [0, 0, 0, 0, 0, 1, 0, 0])
  for (const value of [-1, 1.5, 2 ** 53, Number.NaN]) {
    assert.throws(() => settingBytes('b', wide, value), RangeError)
  }
})

test('committed objects and layouts are what their sources give', () => {
  const sources = programsOf(root)
  assert.ok(sources.length > 0)
  assert.deepEqual(
    sources.flatMap(source => staleFiles(root, source)),
    [],
  )
})

test('an object cut anywhere, or with bytes changed, is an error and never a crash', () => {
  let state = 3
  for (let round = 0; round < 600; round++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const bytes = Uint8Array.from(probe)
    if (round % 2 === 0) bytes.fill(0xff, state % bytes.length, (state % bytes.length) + 8)
    const cut = round % 2 === 0 ? bytes : bytes.subarray(0, state % bytes.length)
    try {
      readLayouts(cut)
      readSettings(cut)
    } catch (error) {
      assert.ok(error instanceof Error)
    }
  }
})

test('an enum of the kernel is found by name alone', { skip: needsRoot }, () => {
  const bytes = readFileSync('/sys/kernel/btf/vmlinux')
  const ours = findType(bytes, ['enum', 'enum64'], 'skb_drop_reason')!
  const theirs = run('bpftool', 'btf', 'dump', 'file', '/sys/kernel/btf/vmlinux')
  const text = theirs.slice(theirs.indexOf(`[${ours.id}] ENUM 'skb_drop_reason'`))
  const lines = text.slice(0, text.indexOf('\n[')).matchAll(/'(\w+)' val=(\d+)/g)
  assert.deepEqual(
    [...ours.values],
    [...lines].map(([, name, value]) => [name, Number(value)]),
  )
  assert.equal(findType(bytes, ['enum'], 'sk_buff'), null)
  assert.equal(findType(bytes, ['struct'], 'no_such_struct'), null)
})

test('BTF ids are those of bpftool', { skip: needsRoot }, () => {
  const types = readBtf(sectionOf(readElf(probe), '.BTF')!)
  const theirs = run('bpftool', 'btf', 'dump', 'file', probePath)
  const lines = [...theirs.matchAll(/^\[(\d+)\] \w+ '([^']*)'/gm)]
  assert.equal(lines.length, types.length - 1)
  for (const [, id, name] of lines) {
    assert.equal(types[Number(id)]!.name, name === '(anon)' ? '' : name)
  }
})
