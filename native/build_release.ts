/**
 * Builds the addon of a release: libbpf, libelf and zlib inside, libc only outside.
 *
 * Their sources come in the crate libbpf-sys, got by cargo and checked against the sum below; the
 * archives of Debian are not position-independent and cannot go into an addon. Each library becomes
 * one relocatable object, kept in `native/build/` until its sources or the compiler change.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { addonFlags, addonSources, addonStamp } from './build_addon.ts'

const crate = {
  version: '1.7.0',
  sum: 'a109478760b2900aa2a6f2087e9d0de1d9c535b1758602af2845d5d2ccfaed7c',
}

interface Machine {
  readonly cpu: 'x64' | 'arm64'
  /** gcc's name of the machine. */
  readonly target: string
}

const machines: readonly Machine[] = [
  { cpu: 'x64', target: 'x86_64-linux-gnu' },
  { cpu: 'arm64', target: 'aarch64-linux-gnu' },
]

const partFlags = [
  ...['-r', '-nostdlib', '-O2', '-fPIC', '-fvisibility=hidden', '-w', '-D_GNU_SOURCE'],
  ...['-ffunction-sections', '-fdata-sections'],
]
/** What elfutils' configure would find; `eu-config.h` is its own last line. */
const elfutilsConfig = `#define HAVE_ERR_H 1
#define HAVE_VISIBILITY 1
#define HAVE_MREMAP 1
#define HAVE_DECL_MEMRCHR 1
#define HAVE_DECL_RAWMEMCHR 1
#define HAVE_DECL_POWEROF2 1
#define HAVE_DECL_MEMPCPY 1
#define HAVE_DECL_REALLOCARRAY 1
#include <eu-config.h>
`

/** Includes are relative to the crate, sources are shell patterns in it. */
const parts = {
  elf: {
    flags: ['-std=gnu11', '-DHAVE_CONFIG_H', '-I../../config', '-Izlib'],
    includes: ['elfutils/lib', 'elfutils/libelf'],
    sources: 'elfutils/libelf/*.c elfutils/lib/next_prime.c',
  },
  bpf: {
    flags: ['-Izlib'],
    includes: ['elfutils/libelf', 'libbpf/include', 'libbpf/include/uapi'],
    sources: 'libbpf/src/*.c',
  },
  zlib: { flags: ['-DHAVE_UNISTD_H'], includes: [], sources: 'zlib/*.c' },
}

/**
 * Builds `native/prebuilt/linux-<cpu>/fovea.node` for every machine whose compiler is here.
 * @throws Error with the compiler's own words, or the command that installs what is missing.
 */
export async function buildRelease(root: string): Promise<void> {
  const sources = fetchSources(root)
  for (const machine of machines) {
    const compiler = compilerFor(machine)
    if (compiler) await buildFor(root, sources, machine, compiler)
    else {
      console.log(
        `linux-${machine.cpu} is left out, its compiler is missing: apt-get install ` +
          `gcc-${machine.target.replaceAll('_', '-')}`,
      )
    }
  }
}

/** Folder of the crate's sources, got by cargo if it is not there yet. */
function fetchSources(root: string): string {
  const folder = join(root, 'native/build/libbpf')
  const sources = join(folder, 'vendor/libbpf-sys')
  if (!existsSync(join(sources, 'Cargo.toml'))) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'lib.rs'), '')
    writeFileSync(
      join(folder, 'Cargo.toml'),
      `[package]\nname = "fovea-libbpf"\nversion = "0.0.0"\nedition = "2021"\n` +
        `[lib]\npath = "lib.rs"\n[dependencies]\nlibbpf-sys = "=${crate.version}"\n[workspace]\n`,
    )
    const { error, status, stderr } = spawnSync('cargo', ['vendor'], { cwd: folder })
    if (error) throw new Error('cargo is missing: apt-get install cargo')
    if (status !== 0) throw new Error(`cargo vendor: ${stderr}`)
  }
  const sums = JSON.parse(readFileSync(join(sources, '.cargo-checksum.json'), 'utf8'))
  if ((sums as { package: string }).package !== crate.sum) {
    throw new Error(`${sources} is not libbpf-sys ${crate.version}: delete it and try again`)
  }
  mkdirSync(join(folder, 'config'), { recursive: true })
  writeFileSync(join(folder, 'config/config.h'), elfutilsConfig)
  // The addon includes <bpf/libbpf.h>.
  if (!existsSync(join(folder, 'config/bpf'))) {
    symlinkSync('../vendor/libbpf-sys/libbpf/src', join(folder, 'config/bpf'))
  }
  return sources
}

/** The compiler's command, or null when this machine has none. */
function compilerFor({ cpu, target }: Machine): string | null {
  const command = cpu === process.arch ? 'cc' : `${target}-gcc`
  return spawnSync(command, ['--version']).status === 0 ? command : null
}

async function buildFor(root: string, sources: string, { cpu }: Machine, cc: string) {
  const output = join(root, `native/prebuilt/linux-${cpu}/fovea.node`)
  const cache = join(root, `native/build/release-${cpu}`)
  const version = spawnSync(cc, ['--version'], { encoding: 'utf8' }).stdout
  const linkFlags = [
    ...[...addonFlags, '-DFOVEA_LIBBPF_INSIDE', '-ffunction-sections', '-s'],
    ...['-Wl,--gc-sections', '-Wl,-Bsymbolic', '-Wl,--version-script=native/addon/exports.map'],
    ...['-Inative/build/libbpf/config', '-Inode_modules/node-api-headers/include'],
  ]
  const recipe = JSON.stringify([crate, version, linkFlags, partFlags, parts, elfutilsConfig])
  const stamp = addonStamp(root, [recipe])
  if (existsSync(output) && readStamp(cache) === stamp) return
  mkdirSync(cache, { recursive: true })
  mkdirSync(dirname(output), { recursive: true })
  const names = Object.keys(parts) as (keyof typeof parts)[]
  const objects = await Promise.all(names.map(name => buildPart(sources, cache, cc, version, name)))
  const inputs = [...addonSources(root), ...objects]
  await run(cc, [...linkFlags, ...inputs, '-o', output, '-pthread', '-ldl', '-lm'], root)
  writeFileSync(join(cache, 'stamp'), stamp)
  console.log(`built ${relative(root, output)}`)
}

async function buildPart(
  sources: string,
  cache: string,
  cc: string,
  version: string,
  name: keyof typeof parts,
): Promise<string> {
  const output = join(cache, `${name}.o`)
  const { flags, includes, sources: patterns } = parts[name]
  const words = [...partFlags, ...flags, ...includes.map(folder => `-I${folder}`)]
  const stamp = `${crate.sum} ${words.join(' ')} ${version}`
  if (existsSync(output) && readStamp(cache, `${name}.stamp`) === stamp) return output
  await run('sh', ['-c', `exec ${cc} ${words.join(' ')} ${patterns} -o "$0"`, output], sources)
  writeFileSync(join(cache, `${name}.stamp`), stamp)
  return output
}

function readStamp(cache: string, name = 'stamp'): string {
  const file = join(cache, name)
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

function run(command: string, words: readonly string[], cwd: string): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(command, words, { cwd, stdio: ['ignore', 'inherit', 'pipe'] })
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', text => {
      errors += text
    })
    child.on('error', fail)
    child.on('close', code => (code === 0 ? done() : fail(new Error(errors))))
  })
}
