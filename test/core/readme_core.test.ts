/**
 * The README of core says what the code says: exit codes, options that core adds, commands, YAML.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { EXPORTER_OPTIONS, SERVICE_OPTIONS } from '../../core/config/core_options.ts'
import { EXIT } from '../../core/errors.ts'
import { main } from '../../core/main.ts'
import { optionsTable } from '../../core/readme.ts'
import { root } from '../../core/root.ts'

const path = join(root(), 'core/README.md')
const text = readFileSync(path, 'utf8')

test('the tables of options are those of the code (UPDATE=1 writes them)', () => {
  let right = text
  for (const [name, spec] of Object.entries({
    exporter: EXPORTER_OPTIONS,
    service: SERVICE_OPTIONS,
  })) {
    const [begin, end] = [`<!-- ${name} options -->`, `<!-- /${name} options -->`]
    assert.ok(right.includes(begin) && right.includes(end), name)
    const before = right.slice(0, right.indexOf(begin) + begin.length)
    right = `${before}\n${optionsTable(spec)}\n${right.slice(right.indexOf(end))}`
  }
  if (process.env.UPDATE === '1') writeFileSync(path, right)
  else assert.equal(text, right)
})

test('the exit codes are those of the code', () => {
  const table = text.slice(text.indexOf('| exit code |'))
  const codes = [...table.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code))
  assert.deepEqual(codes, Object.values(EXIT))
})

test('the commands are those of the command line', async () => {
  let help = ''
  await main(['--help'], { out: said => (help += said), err: () => undefined, cwd: '/', env: {} })
  const names = [...help.matchAll(/^ {2}([a-z]+) {2}/gm)].map(([, name]) => name)
  const documented = [...text.matchAll(/^ {4}fovea ([a-z]+)/gm)].map(([, name]) => name)
  for (const name of ['run', 'check', 'components', 'schema', 'version']) {
    assert.ok(names.includes(name), name)
    assert.ok(documented.includes(name), name)
  }
  assert.deepEqual(
    documented.filter(name => !names.includes(name)),
    [],
  )
})

test('the YAML of the README is YAML with the five sections', () => {
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(text)!
  const sections = ['plugins', 'receivers', 'processors', 'exporters', 'service']
  assert.deepEqual(Object.keys(parse(yaml)), sections)
})
