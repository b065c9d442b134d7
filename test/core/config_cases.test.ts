/**
 * What `fovea` says about wrong configurations, word for word: the cases of `fixtures/*.txt`.
 *
 * A case is `## its sentence`; lines `set a.b=c`, `env NAME=value` and `include FILE` (not given
 * with
 * --config, only read by others); files after `--- NAME`; and after
 * `--- prints` the lines that come out. The components are those of `config_fixture.ts`.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { mistakesIn } from './config_fixture.ts'

const folder = new URL('./fixtures/', import.meta.url)

for (const file of readdirSync(folder).filter(name => name.endsWith('.txt'))) {
  const [, ...cases] = `\n${readFileSync(new URL(file, folder), 'utf8')}`.split(/\n## /)
  assert.ok(cases.length > 0, file)
  for (const text of cases) {
    const [head, ...parts] = text.split(/^--- /m)
    const [name, ...given] = head.trim().split('\n')
    test(`${file}: ${name}`, async () => assert.deepEqual(...(await outcome(given, parts))))
  }
}

/** What was said, and what should be. */
async function outcome(
  given: readonly string[],
  parts: readonly string[],
): Promise<[string[], string[]]> {
  const contents = Object.fromEntries(
    parts.map(part => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)]),
  )
  const { prints, ...files } = contents
  const after = (word: string) =>
    given.filter(line => line.startsWith(`${word} `)).map(line => line.slice(word.length + 1))
  const env = Object.fromEntries(after('env').map(line => line.split(/=(.*)/s)))
  const included = after('include')
  const said = await mistakesIn({
    contents: files,
    files: Object.keys(files).filter(name => !included.includes(name)),
    sets: after('set'),
    env,
  })
  return [said, prints.trim().split('\n')]
}
