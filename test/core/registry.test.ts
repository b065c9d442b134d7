/**
 * The folder listing is the registry: what is listed, what is loaded, and what a wrong type says.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { definitionMistake } from '../../core/definition.ts'
import { ConfigError } from '../../core/index.ts'
import { KINDS, listFolders, listTypes, loadComponent } from '../../core/registry.ts'
import { root, version } from '../../core/root.ts'

test('a component is a folder with an index.ts, a command one with a command.ts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-registry-'))
  const file = (path: string) => {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), '')
  }
  try {
    for (const path of ['receivers/b/index.ts', 'receivers/a/index.ts', 'receivers/columns.ts'])
      file(path)
    for (const path of [
      'receivers/notes/README.md',
      'exporters/c/index.ts',
      'exporters/c/command.ts',
    ])
      file(path)
    assert.deepEqual(listFolders(folder), {
      receivers: ['a', 'b'],
      processors: [],
      exporters: ['c'],
      commands: ['exporters/c'],
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the types are the folders of this checkout', () => {
  for (const kind of KINDS) {
    const section = join(root(), `${kind}s`)
    const folders = readdirSync(section).filter(name => existsSync(join(section, name, 'index.ts')))
    assert.deepEqual(listTypes(kind), folders.sort())
    assert.ok(folders.length > 0, kind)
  }
})

test('every component of this checkout loads and states its kind and options rightly', async () => {
  for (const kind of KINDS) {
    for (const type of listTypes(kind)) {
      const { definition, folder, source } = await loadComponent(kind, type)
      assert.equal(definition.kind, kind, type)
      assert.equal(definitionMistake({ ...definition, type }), undefined)
      assert.equal(folder, join(root(), `${kind}s`, type))
      assert.equal(source, 'built in')
    }
  }
})

test('a type that does not exist names the nearest one', async () => {
  await assert.rejects(loadComponent('receiver', 'replya'), (error: unknown) => {
    assert.ok(error instanceof ConfigError)
    assert.equal(error.message, 'there is no receiver "replya", did you mean "replay"?')
    return true
  })
  await assert.rejects(loadComponent('receiver', '../core'), ConfigError)
  await assert.rejects(loadComponent('receiver', 'columns.ts'), ConfigError)
})

test('the root is the folder of our package.json', () => {
  assert.ok(existsSync(join(root(), 'core/root.ts')))
  assert.match(version(), /^\d+\.\d+\.\d+/)
})
