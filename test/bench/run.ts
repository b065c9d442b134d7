/**
 * `npm run bench`: what Fovea costs on this machine, in one table.
 *
 * Absolute times swing with the machine and its load, so each figure stands beside a reference that
 * was measured in the same run; goals are ratios wherever a ratio says it. Nothing here fails a
 * test. `--short` measures just long enough to see that every figure can be taken; `--write` puts
 * the table into README.md. Words choose groups.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { type Figure, reaches, table } from './figure.ts'

/** `short`: a few seconds each, for CI. */
type Rows = (short: boolean) => readonly Figure[] | Promise<readonly Figure[]>

const groups: Record<string, () => Promise<Rows>> = {
  kernel: async () => (await import('./kernel.ts')).kernelRows,
  agent: async () => (await import('./agent.ts')).agentRows,
  processors: async () => (await import('./processors.ts')).processorRows,
  exporters: async () => (await import('./exporters.ts')).exporterRows,
  flow_log: async () => (await import('./flow_log.ts')).flowLogRows,
}
/** Without the right to load programs there is nothing to measure. */
const needsRoot = new Set(['kernel', 'agent'])

async function main(words: readonly string[]): Promise<void> {
  const short = words.includes('--short')
  const chosen = words.filter(word => !word.startsWith('--'))
  const figures: Figure[] = []
  let failed = 0
  for (const [name, load] of Object.entries(groups)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue
    if (needsRoot.has(name) && process.getuid?.() !== 0) {
      console.error(`${name} skipped: needs root`)
      continue
    }
    console.error(`measuring ${name}`)
    try {
      figures.push(...(await (await load())(short)))
    } catch (error) {
      failed++
      console.error(`${name} failed: ${(error as Error).stack}`)
    }
  }
  const text = `${machine()}\n\n${table(figures)}`
  console.log(text)
  if (words.includes('--write')) writeInto(new URL('../../README.md', import.meta.url), text)
  const over = figures.filter(figure => reaches(figure) === false).length
  const within = figures.filter(figure => reaches(figure)).length
  console.log(`\n${within} within their goal, ${over} over, ${failed} groups failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

function writeInto(file: URL, text: string): void {
  const [before, after] = ['<!-- bench -->', '<!-- /bench -->']
  const [head, rest] = readFileSync(file, 'utf8').split(before)
  writeFileSync(file, `${head}${before}\n${text}\n${after}${rest!.split(after)[1]}`)
}

function machine(): string {
  const [first, ...others] = cpus()
  const day = new Date().toISOString().slice(0, 10)
  const cores = `${others.length + 1} x ${first?.model ?? 'unknown CPU'}`
  return `${day}, ${cores}, Linux ${release()}, Node ${process.version}`
}

await main(process.argv.slice(2))
