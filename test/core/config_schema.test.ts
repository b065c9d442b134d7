/**
 * The schema that editors get: it must take what `check` takes and refuse what `check` refuses.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { parse } from 'yaml'
import { fileSchema } from '../../core/config/file_schema.ts'
import { redact } from '../../core/config/redact.ts'
import { defaultConfig } from '../../core/config/validate.ts'
import { flowLog, mistakesIn, registry, withFlows } from './config_fixture.ts'

const schema = await fileSchema(registry)
const accepts = new Ajv({ strictTypes: false }).compile(schema)

const right: readonly string[] = [
  '',
  'interval: 1m30s',
  'interval: 0.5s',
  'interval: "${env:PACE:-1s}"',
  'table_size: "${env:SIZE:-2048}"',
  'table_size: 2048',
  'fragments: "${env:ON:-true}"',
  'interfaces: eth0',
  'interfaces: [eth0, "${env:LINK:-eth1}"]',
  'interfaces:',
  'buffer: 10MB',
  'level: bytes',
  'level: "${env:LEVEL:-bytes}"',
  'zone: "${env:ZONE:-a}"',
  'required: true',
]
const wrong: readonly string[] = [
  'interval: 10',
  'interval: 10 s',
  'interval: soon',
  'table_size: "5"',
  'table_size: 5',
  'table_size: [2048]',
  'fragments: yes',
  'interfaces: [5]',
  'interfaces: { a: b }',
  'buffer: 64mb',
  'buffer: 5',
  'level: byte',
  'zone: { a: 1 }',
  'zone: North 1',
  'intervl: 1s',
]

test('the schema takes what check takes', async () => {
  for (const line of right) {
    assert.deepEqual(await mistakesIn(withFlows(line)), [], line)
    assert.ok(accepts(parse(withFlows(line))), `${line}: ${JSON.stringify(accepts.errors)}`)
  }
})

test('the schema refuses what check refuses', async () => {
  for (const line of wrong) {
    assert.equal((await mistakesIn(withFlows(line))).length, 1, line)
    assert.equal(accepts(parse(withFlows(line))), false, line)
  }
})

test('ids with names, sections and options that core adds are in the schema', () => {
  const text = `receivers: { flows/uplink: { required: true } }
processors:
exporters:
  flow_log/a: { path: x, timeout: 1s, sending_queue: { queue_size: 1MiB } }
  prometheus: { retry_on_failure: { enabled: false } }
plugins: [./x]
service:
  pipelines: { a: { receivers: flows/uplink, exporters: [flow_log/a] } }
  shutdown_timeout: 5s
`
  assert.ok(accepts(parse(text)), JSON.stringify(accepts.errors))
  assert.equal(accepts({ receivers: { nothing: null } }), false)
  assert.equal(accepts({ receivers: { flowsx: null } }), false)
  assert.equal(accepts({ exporters: { flow_log: {} } }), false, 'path must be given')
  assert.equal(accepts({ connectors: {} }), false)
})

test('every option carries its description and default into the editor', () => {
  const text = JSON.stringify(schema)
  assert.match(text, /"description":"Time between two reads\."/)
  assert.match(text, /"default":"8MiB"/)
  assert.match(text, /"description":"Flows of the test \(beta\)\."/)
  assert.equal(schema.$schema, 'http://json-schema.org/draft-07/schema#')
})

test('a default configuration exists exactly where nothing must be given', () => {
  assert.equal(defaultConfig(flowLog.config), undefined)
  assert.deepEqual(defaultConfig({}), {})
})

test('secrets are masked at every depth, everything else is kept', () => {
  const secret = { type: 'secret', description: 'x' } as const
  const text = { type: 'string', description: 'x' } as const
  const spec = {
    token: secret,
    none: secret,
    name: text,
    headers: { type: 'map', values: secret, description: 'x' },
    tokens: { type: 'list', items: secret, description: 'x' },
    tls: { type: 'group', properties: { key: secret, cert: text }, description: 'x' },
    absent: { type: 'group', optional: true, properties: { key: secret }, description: 'x' },
  } as const
  const config = {
    token: 'a',
    none: '',
    name: 'n',
    headers: { b: 'c' },
    tokens: ['d'],
    tls: { key: 'e', cert: 'f' },
    absent: undefined,
  }
  assert.deepEqual(redact(config, spec), {
    token: '[REDACTED]',
    none: '',
    name: 'n',
    headers: { b: '[REDACTED]' },
    tokens: ['[REDACTED]'],
    tls: { key: '[REDACTED]', cert: 'f' },
    absent: undefined,
  })
})
