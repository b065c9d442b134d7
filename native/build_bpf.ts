/**
 * Compiles BPF programs and writes their layouts, reproducibly.
 *
 * clang 14 to 16 give the same bytes in every folder (path prefixes are cut), so a committed object
 * can be compared with a fresh compile; other compilers are compared by BTF alone.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { readElf } from './elf.ts'
import { generatedText } from './generate.ts'
import { btfHashOf, readLayouts } from './layout.ts'

interface Compiler {
  readonly clang: string
  readonly strip: string
  readonly version: number
}

/** Folders whose sub-folders may hold programs. */
const searched = ['receivers', 'examples', 'test/native']
const remedy = 'Run: node native/build.ts bpf'

/**
 * Builds every `*.bpf.c` of the given folders (default: all of the checkout).
 * @throws Error with one line per failed or, with `check`, stale file.
 */
export function buildBpf(root: string, folders: readonly string[], check: boolean): void {
  const sources = programsOf(root, folders)
  const stamps = readStamps(root)
  const compiler = findCompiler()
  const failures: string[] = []
  for (const source of sources) {
    const stamp = stampOf(root, source, compiler)
    const name = relative(root, source)
    if (!check && stamps[name] === stamp && outputsExist(source)) continue
    try {
      if (check) failures.push(...staleFiles(root, source, compiler))
      else {
        write(source, compile(root, source, compiler))
        stamps[name] = stampOf(root, source, compiler)
        console.log(`built ${relative(root, objectOf(source))}`)
      }
    } catch (error) {
      failures.push(`${name}: ${(error as Error).message}`)
    }
  }
  if (!check) saveStamps(root, stamps)
  if (failures.length > 0) throw new Error(failures.join('\n'))
}

/** Absolute paths of all programs, sorted. */
export function programsOf(root: string, folders: readonly string[] = []): string[] {
  const groups = searched.map(name => join(root, name)).filter(path => existsSync(path))
  const all = groups.flatMap(group =>
    readdirSync(group, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => join(group, entry.name)),
  )
  const wanted = folders.length > 0 ? folders.map(folder => resolve(folder)) : all
  return wanted
    .flatMap(folder => readdirSync(folder).map(file => join(folder, file)))
    .filter(file => file.endsWith('.bpf.c'))
    .sort()
}

/** Compiles one program. @throws Error with clang's own words. */
export function compile(root: string, source: string, compiler = findCompiler()): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-bpf-'))
  const output = join(folder, 'program.o')
  try {
    run(compiler.clang, [...flags(root), '-c', relative(root, source), '-o', output], root)
    run(compiler.strip, ['-g', output], root)
    return readFileSync(output)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** clang 14 if present (what CI and the committed objects use), else the machine's clang. */
export function findCompiler(): Compiler {
  for (const suffix of ['-14', '', '-16', '-19']) {
    const answer = spawnSync(`clang${suffix}`, ['--version'], { encoding: 'utf8' })
    const version = Number(/version (\d+)/.exec(answer.stdout ?? '')?.[1])
    if (version >= 14) {
      return { clang: `clang${suffix}`, strip: `llvm-strip${suffix}`, version }
    }
  }
  throw new Error('clang 14 or newer is missing: apt-get install clang-14 llvm-14 libbpf-dev')
}

function flags(root: string): string[] {
  const architecture = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as 'x64'] ?? process.arch
  return [
    ...['-O2', '-g', '-target', 'bpf', '-mcpu=v3', '-Wall', '-Werror'],
    // One value for all machines: no program reads pt_regs, and the bytes must not differ.
    '-D__TARGET_ARCH_x86',
    `-I/usr/include/${architecture}-linux-gnu`,
    '-I.',
    `-ffile-prefix-map=${root}/=`,
    '-fdebug-compilation-dir=.',
  ]
}

function run(command: string, words: readonly string[], cwd: string): void {
  try {
    execFileSync(command, words, { cwd, stdio: 'pipe', encoding: 'utf8' })
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string }
    throw new Error(stderr || message)
  }
}

function objectOf(source: string): string {
  return source.replace(/\.bpf\.c$/, '.bpf.o')
}

function layoutOf(source: string): string {
  return source.replace(/\.bpf\.c$/, '.generated.ts')
}

function outputsExist(source: string): boolean {
  return existsSync(objectOf(source)) && existsSync(layoutOf(source))
}

/** The generated file of a program. @throws Error when clang left out a struct that is SHARED. */
function layoutText(source: string, object: Uint8Array): string {
  const layouts = readLayouts(object)
  const own = readdirSync(dirname(source)).filter(file => file.endsWith('.h'))
  for (const file of [source, ...own.map(name => join(dirname(source), name))]) {
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/struct\s+SHARED\s+(\w+)\s*\{/g)) {
      if (layouts.structs.has(name!)) continue
      throw new Error(
        `struct ${name} is in no map, so clang left it out: add SHARED_TYPE(struct, ${name});`,
      )
    }
  }
  return generatedText(basename(objectOf(source)), layouts)
}

function write(source: string, object: Uint8Array): void {
  const text = layoutText(source, object)
  writeFileSync(objectOf(source), object)
  writeFileSync(layoutOf(source), text)
}

/** One sentence per committed file that is not what its source gives. */
export function staleFiles(root: string, source: string, compiler = findCompiler()): string[] {
  const stale: string[] = []
  const fresh = compile(root, source, compiler)
  const [object, layout] = [objectOf(source), layoutOf(source)]
  const name = (path: string) => relative(root, path)
  if (!existsSync(object)) stale.push(`${name(object)} is missing. ${remedy}`)
  else if (!isEqual(readFileSync(object), fresh, compiler)) {
    stale.push(`${name(object)} is not what ${name(source)} gives. ${remedy}`)
  }
  const text = layoutText(source, fresh)
  if (!existsSync(layout) || readFileSync(layout, 'utf8') !== text) {
    stale.push(`${name(layout)} is not what ${name(source)} gives. ${remedy}`)
  }
  return stale
}

/**
 * CI compares bytes, with the compiler that made the committed objects. Elsewhere the kernel's
 * headers may be newer, which shows in BTF, and the compiler another: then code that the same
 * compiler gives must be the same, and for all the shared structs and the names of programs and
 * maps.
 */
function isEqual(committed: Uint8Array, fresh: Uint8Array, compiler: Compiler): boolean {
  if (Buffer.compare(committed, fresh) === 0) return true
  if (process.env.CI && compiler.version === 14) return false
  if (compiler.version <= 16 && codeOf(committed) !== codeOf(fresh)) return false
  return btfHashOf(committed) === btfHashOf(fresh) && namesOf(committed) === namesOf(fresh)
}

/** All sections that the kernel runs or reads, as text to compare. */
function codeOf(object: Uint8Array): string {
  const sections = readElf(object).sections.filter(
    ({ name }) => !/^\.(BTF|rel|str|sym|llvm)/.test(name),
  )
  return sections
    .map(({ name, bytes }) => `${name} ${Buffer.from(bytes).toString('hex')}`)
    .join('\n')
}

/** Programs, maps and settings with the sections that they lie in. */
function namesOf(object: Uint8Array): string {
  const symbols = readElf(object).symbols.filter(
    ({ name, section }) => name && section && !name.startsWith('LBB'),
  )
  return symbols
    .map(({ name, section }) => `${section} ${name}`)
    .sort()
    .join('\n')
}

/** Everything that decides the outputs: the sources, the outputs themselves, flags and compiler. */
function stampOf(root: string, source: string, compiler: Compiler): string {
  const headers = [dirname(source), join(root, 'receivers'), join(root, 'native/bpf')]
    .filter(folder => existsSync(folder))
    .flatMap(folder => readdirSync(folder).map(file => join(folder, file)))
    .filter(file => file.endsWith('.h'))
  const inputs = [source, ...headers, objectOf(source), layoutOf(source)]
  const tools = ['build_bpf.ts', 'generate.ts', 'layout.ts'].map(name => join(root, 'native', name))
  const sum = createHash('sha256').update(`${compiler.clang} ${compiler.version}`)
  for (const file of [...inputs, ...tools]) {
    sum.update(file).update(existsSync(file) ? readFileSync(file) : '')
  }
  return sum.digest('hex')
}

function stampFile(root: string): string {
  return join(root, 'native/build/bpf.json')
}

function readStamps(root: string): Record<string, string> {
  if (!existsSync(stampFile(root))) return {}
  return JSON.parse(readFileSync(stampFile(root), 'utf8')) as Record<string, string>
}

function saveStamps(root: string, stamps: Record<string, string>): void {
  mkdirSync(dirname(stampFile(root)), { recursive: true })
  writeFileSync(stampFile(root), `${JSON.stringify(stamps, null, 2)}\n`)
}
