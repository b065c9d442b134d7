/**
 * `npm test`: the linter, the type checker and every test, in groups, with one line for each group.
 *
 * Groups are the folders of test/. Those that use the kernel run one file at a time, the others
 * two. Words after `npm test --` choose groups or files by a part of their path. What does not run
 * here says why in one line; the last line adds up node's own counts and decides the exit code.
 */
import { spawn } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join, relative, resolve } from 'node:path'
import { run } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/** These use the kernel: two at once would disturb each other's values. */
const serial = new Set(['native', 'receivers', 'kernel'])
/** Without root a file of these has nothing to test; elsewhere single tests say so themselves. */
const rootOnly = new Set(['kernel'])
/**
 * Longest time without a word from any test of a group, milliseconds. Node's own limit ends tests,
 * not a file whose process stays because of something that it started.
 */
const silenceMs = 180_000

interface Counts {
  passed: number
  failed: number
  skipped: number
}

interface Group {
  readonly name: string
  readonly files: readonly string[]
}

async function main(words: readonly string[]): Promise<void> {
  process.chdir(root)
  // Where native/setup.sh unpacks tools, and where Debian keeps ip and nft from users.
  const more = [join(root, 'native/build/tools/usr/bin'), '/usr/sbin', '/sbin']
  process.env.PATH = [process.env.PATH, ...more].join(delimiter)
  const total: Counts = { passed: 0, failed: 0, skipped: 0 }
  for (const check of checks(words)) add(total, await check())
  for (const group of groups(words)) {
    const reason = reasonToSkip(group)
    if (reason === undefined) add(total, await runGroup(group))
    else {
      console.log(`${group.name.padEnd(12)} skipped: ${reason}`)
      total.skipped += group.files.length
    }
  }
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
  if (total.passed + total.failed === 0) console.log(`no test is named like: ${words.join(' ')}`)
  // Sockets that a library keeps open must not keep the run open.
  process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1)
}

function add(total: Counts, counts: Counts): void {
  total.passed += counts.passed
  total.failed += counts.failed
  total.skipped += counts.skipped
}

/** The two checks that are no tests; chosen by `lint` when groups are chosen. */
function checks(words: readonly string[]): (() => Promise<Counts>)[] {
  if (words.length > 0 && !words.includes('lint')) return []
  return [
    () => command('biome', ['biome', 'check', '--error-on-warnings', '.']),
    () => command('tsc', ['tsc', '-p', '.', '--pretty', 'false']),
  ]
}

async function command(name: string, [tool, ...rest]: string[]): Promise<Counts> {
  const start = performance.now()
  const child = spawn(join(root, 'node_modules/.bin', tool!), rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: Buffer[] = []
  child.stdout.on('data', chunk => output.push(chunk))
  child.stderr.on('data', chunk => output.push(chunk))
  const passed = await new Promise<boolean>((done, fail) => {
    child.on('error', fail)
    child.on('close', code => done(code === 0))
  })
  if (!passed) process.stdout.write(Buffer.concat(output))
  const counts = { passed: Number(passed), failed: Number(!passed), skipped: 0 }
  report(name, counts, start)
  return counts
}

function groups(words: readonly string[]): Group[] {
  const byName = new Map<string, string[]>()
  for (const file of globSync('test/**/*.test.ts').sort()) {
    const [, first, ...rest] = file.split('/')
    const name = rest.length > 0 ? first! : 'tree'
    if (words.length > 0 && !words.some(word => name === word || file.includes(word))) continue
    byName.set(name, [...(byName.get(name) ?? []), file])
  }
  const all = [...byName].map(([name, files]) => ({ name, files }))
  return all.sort((a, b) => Number(serial.has(a.name)) - Number(serial.has(b.name)))
}

function reasonToSkip(group: Group): string | undefined {
  if (!rootOnly.has(group.name)) return undefined
  if (process.getuid?.() !== 0) return 'needs root, to load programs and make network namespaces'
  // CAP_BPF is bit 39: a container's root may lack it.
  const effective = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  if (((BigInt(`0x${effective}`) >> 39n) & 1n) === 0n) return 'this root lacks CAP_BPF'
  return undefined
}

async function runGroup(group: Group): Promise<Counts> {
  const start = performance.now()
  const concurrency = serial.has(group.name) ? 1 : 2
  const hung = new AbortController()
  const watchdog = setTimeout(() => hung.abort(), silenceMs)
  const stream = run({
    files: group.files.map(file => resolve(file)),
    concurrency,
    timeout: silenceMs,
    signal: hung.signal,
  })
  const printed = new Map<string, string[]>()
  let counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  for await (const { type, data } of stream) {
    watchdog.refresh()
    if (type === 'test:stdout' || type === 'test:stderr') {
      const file = data.file ?? ''
      printed.set(file, [...(printed.get(file) ?? []), data.message])
    } else if (type === 'test:fail') {
      reportFailure(data)
    } else if (type === 'test:pass' && data.skip !== undefined) {
      const why = typeof data.skip === 'string' ? data.skip : 'no reason given'
      console.log(`  skipped: ${data.name}: ${why}`)
    } else if (type === 'test:summary' && data.file === undefined) {
      const { passed, cancelled, skipped, todo, tests } = data.counts
      counts = { passed, skipped: skipped + todo, failed: tests - passed - skipped - todo }
      if (counts.failed < cancelled) counts.failed = cancelled
    }
  }
  clearTimeout(watchdog)
  if (hung.signal.aborted) console.log(`  ended: no word from a test for ${silenceMs / 1000} s`)
  if (counts.failed > 0) for (const lines of printed.values()) process.stdout.write(lines.join(''))
  report(group.name, counts, start)
  return counts
}

interface Failure {
  readonly name: string
  readonly file?: string
  readonly line?: number
  readonly details: { readonly error: Error & { readonly failureType?: string } }
}

function reportFailure({ name, file, line, details }: Failure): void {
  // The parent of a failed test fails too; only the test itself has something to say.
  if (details.error.failureType === 'subtestsFailed') return
  const place = file === undefined ? '' : ` (${relative(root, file)}:${line})`
  const cause = details.error.cause ?? details.error
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  console.log(`  failed: ${name}${place}\n${text.replace(/^/gm, '    ')}`)
}

function report(name: string, counts: Counts, start: number): void {
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  const parts = [`${counts.passed} passed`]
  if (counts.failed > 0) parts.push(`${counts.failed} failed`)
  if (counts.skipped > 0) parts.push(`${counts.skipped} skipped`)
  console.log(`${name.padEnd(12)} ${parts.join(', ')} (${seconds} s)`)
}

await main(process.argv.slice(2))
