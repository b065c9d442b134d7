/**
 * Builds the C addon for this machine with one call of the C compiler.
 *
 * It is compiled against libbpf's headers and finds the library itself at run time, so the same
 * file loads where libbpf is missing and can say so.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

export const addonFlags = [
  ...['-std=gnu11', '-O2', '-g', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared'],
  ...['-fvisibility=hidden', '-DNAPI_VERSION=8'],
]

/** All C files of the addon, relative to the root of the checkout. */
export function addonSources(root: string): string[] {
  const folder = join(root, 'native/addon')
  return readdirSync(folder)
    .filter(file => file.endsWith('.c'))
    .map(file => relative(root, join(folder, file)))
}

/** Names every input of a build: equal stamps mean that nothing has to be done. */
export function addonStamp(root: string, words: readonly string[]): string {
  const folder = join(root, 'native/addon')
  const sum = createHash('sha256').update(words.join(' '))
  for (const file of readdirSync(folder).sort())
    sum.update(file).update(readFileSync(join(folder, file)))
  return sum.digest('hex')
}

/**
 * Builds `native/build/fovea.node` unless it is fresh.
 * @throws Error with the compiler's own words, or the command that installs what is missing.
 */
export function buildAddon(root: string): void {
  compileAddon(root, join(root, 'native/build/fovea.node'), [])
}

/** As `buildAddon`, to another place and with further flags. Returns true when it compiled. */
export function compileAddon(root: string, output: string, more: readonly string[]): boolean {
  const include = join(root, 'node_modules/node-api-headers/include')
  if (!existsSync(join(include, 'node_api.h'))) {
    throw new Error('node-api-headers is missing: npm ci --ignore-scripts')
  }
  const words = [...addonFlags, ...more, `-I${relative(root, include)}`, ...addonSources(root)]
  const stamp = addonStamp(root, words)
  if (existsSync(output) && readStamp(output) === stamp) return false
  mkdirSync(dirname(output), { recursive: true })
  run(root, [...words, '-o', output, '-pthread', '-ldl', '-lm'])
  writeFileSync(`${output}.stamp`, stamp)
  console.log(`built ${relative(root, output)}`)
  return true
}

function readStamp(output: string): string {
  const file = `${output}.stamp`
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

function run(root: string, words: readonly string[]): void {
  try {
    execFileSync('cc', words, { cwd: root, stdio: 'pipe', encoding: 'utf8' })
  } catch (error) {
    const { code, stderr, message } = error as { code?: string; stderr?: string; message: string }
    const isMissing = code === 'ENOENT' || /bpf\/\w+\.h: No such file/.test(stderr ?? '')
    if (!isMissing) throw new Error(stderr || message)
    throw new Error(
      'a C compiler or libbpf headers are missing: apt-get install gcc libc6-dev libbpf-dev',
    )
  }
}
