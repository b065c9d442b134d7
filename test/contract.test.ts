/**
 * One test for what every component promises, ours and the examples': its options, its README, the
 * columns it declares, its rows, and that closing it leaves nothing behind.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { ProcessorDefinition } from '../core/index.ts'
import { syncReadme } from '../core/readme.ts'
import type { Component } from '../core/registry.ts'
import {
  allComponents,
  checkRefusal,
  checkStage,
  configure,
  makeFolder,
  specificationGaps,
  yamlOf,
} from './harness/contract.ts'

const run = promisify(execFile)
const CHILD = join(import.meta.dirname, 'harness/contract_process.ts')
const isRoot = process.getuid?.() === 0
const { folder, remove } = await makeFolder()
after(remove)

for (const component of await allComponents()) {
  const { kind, type, definition } = component
  describe(`${kind} ${type}`, () => {
    test('says what it is and what each option means', () => {
      assert.match(definition.summary, /^[A-Z].*[^.]$/)
      assert.deepEqual(specificationGaps(definition.config), [])
    })

    test('its configuration is accepted, an option that it does not have is not', () => {
      const yaml = yamlOf(type, folder)
      assert.deepEqual(configure(component, yaml).messages, [])
      const wrong = yaml === '{}' ? '{ not_there: 1 }' : yaml.replace('{', '{ not_there: 1,')
      assert.match(configure(component, wrong).messages.join('\n'), /not_there: unknown option/)
    })

    test('its README has the options of its schema (UPDATE=1 writes them)', () => {
      const readme = join(component.folder, 'README.md')
      assert.equal(syncReadme(readme, definition.config, process.env.UPDATE === '1'), undefined)
    })

    if (definition.kind === 'processor') stageTests(definition, yamlOf(type, folder))

    const reason = needsKernel(component) && !isRoot ? 'needs root to load a program' : false
    test('opens, works, closes twice, and leaves no handle', { skip: reason }, async t => {
      const said = await inProcess(component)
      if (said.startsWith('lacks: ')) t.skip(said)
      else assert.equal(said, 'closed')
    })
  })
}

function stageTests(definition: ProcessorDefinition, yaml: string): void {
  test('accounts for every row, and changes no batch that it was given', () => {
    checkStage(definition, yaml)
  })
  test('refuses a table that lacks what it needs', () => checkRefusal(definition, yaml))
}

/** Receivers that load programs read a network namespace of their own, with loopback alone. */
async function inProcess({ kind, type }: Component): Promise<string> {
  const command = [process.execPath, CHILD, kind, type, folder]
  const isolated = ['unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh']
  const [file, ...args] = kind === 'receiver' && isRoot ? [...isolated, ...command] : command
  // The limit is the check: a component that keeps the process alive is killed and fails.
  const { stdout } = await run(file, args, { timeout: 60_000 })
  return stdout.trim().split('\n').at(-1) ?? ''
}

function needsKernel({ kind, type }: Component): boolean {
  return kind === 'receiver' && !['replay', 'connections'].includes(type)
}
