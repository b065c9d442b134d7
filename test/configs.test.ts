/**
 * Every configuration that is shipped is right: it plans without a word of warning, and the
 * editor's schema takes it.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { parse } from 'yaml'
import { fileSchema } from '../core/config/file_schema.ts'
import { loadConfig } from '../core/config/load.ts'
import { openRegistry } from '../core/config/plugins.ts'
import { makePlan } from '../core/plan.ts'
import { root } from '../core/root.ts'

const shipped = readdirSync(join(root(), 'configs')).filter(name => name.endsWith('.yaml'))
const files = [...shipped.map(name => `configs/${name}`), 'examples/agent.yaml']

test('the configurations that messages and documents name are there', () => {
  assert.ok(shipped.includes('agent.yaml') && shipped.includes('replay.yaml'))
})

for (const file of files) {
  test(`${file} is right, with no variable set`, async () => {
    const tree = loadConfig({ files: [file], env: {}, cwd: root() })
    const registry = await openRegistry(tree)
    const plan = await makePlan(tree, registry)
    assert.deepEqual(plan.warnings, [])
    assert.ok(plan.exporters.length > 0)
    for (const { name, exporters, tablesOut } of plan.pipelines) {
      if (exporters.length > 0) assert.notDeepEqual(tablesOut, {}, name)
    }
    const accepts = new Ajv({ strict: false }).compile(await fileSchema(registry))
    const text = readFileSync(join(root(), file), 'utf8')
    assert.ok(accepts(parse(text)), JSON.stringify(accepts.errors))
  })
}
