/**
 * Several files, `--set` and `${...}`: who wins, what a value becomes, and where a mistake is
 * shown.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flowsConfig, mistakesIn, planOf, withFlows } from './config_fixture.ts'

const BASE = withFlows('interval: 5s', 'interfaces: [a, b]', 'level: bytes')

test('maps of later files merge into earlier ones, lists and values are replaced', async () => {
  const later = 'receivers: { flows: { interfaces: [c], interval: 2s } }\n'
  const plan = await planOf({ contents: { 'a.yaml': BASE, 'b.yaml': later } })
  const { interfaces, interval, level } = plan.receivers[0].config
  assert.deepEqual(
    { interfaces, interval, level },
    { interfaces: ['c'], interval: 2000, level: 'bytes' },
  )
})

test('a later map with nothing in it erases nothing, an option has its default', async () => {
  const later = 'receivers:\nexporters: { flow_log: }\nservice:\n'
  const plan = await planOf({ contents: { 'a.yaml': BASE, 'b.yaml': later } })
  assert.equal(plan.receivers[0].config.interval, 5000)
  assert.equal(plan.exporters[0].config.path, 'x')
  const reset = 'receivers: { flows: { interval: , level: null } }\n'
  const other = await planOf({ contents: { 'a.yaml': BASE, 'b.yaml': reset } })
  assert.equal(other.receivers[0].config.interval, 1000)
  assert.equal(other.receivers[0].config.level, 'flows')
})

test('--set comes last, in order, and its value is YAML', async () => {
  const sets = [
    'receivers.flows.interval=2s',
    'receivers.flows.interval=3s',
    'receivers.flows.interfaces=[x, y]',
    'receivers.flows.fragments=true',
    'receivers.flows/up={}',
    'service.pipelines.all.receivers=[flows, flows/up]',
  ]
  const plan = await planOf({ contents: { 'agent.yaml': BASE }, sets })
  assert.deepEqual(plan.pipelines[0].receivers, ['flows', 'flows/up'])
  const { interval, interfaces, fragments } = plan.receivers[0].config
  assert.deepEqual(
    { interval, interfaces, fragments },
    { interval: 3000, interfaces: ['x', 'y'], fragments: true },
  )
})

test('a text option takes the words of --set as they are, a number option reads them', async () => {
  const sets = [
    'receivers.flows.zone=0123',
    'receivers.flows.table_size=2048',
    'receivers.flows.buffer=0',
  ]
  const lines = await mistakesIn({ contents: { 'agent.yaml': BASE }, sets })
  assert.deepEqual(lines, ['--set receivers.flows.buffer must be at least 4KiB'])
  const plan = await planOf({ contents: { 'agent.yaml': BASE }, sets: sets.slice(0, 2) })
  assert.equal(plan.receivers[0].config.zone, '0123')
  assert.equal(plan.receivers[0].config.table_size, 2048)
})

test('an expansion becomes what the field wants', async () => {
  const env = { ZONE: '0123', SIZE: '4096', PACE: '1m', ON: 'true', LIST: '[a, b]', ONE: 'eth0' }
  const config = await flowsConfig(
    [
      'zone: ${env:ZONE}',
      'table_size: ${env:SIZE}',
      'interval: "${env:PACE}30s"',
      'fragments: ${env:ON}',
      'interfaces: ${env:LIST}',
    ],
    { env },
  )
  assert.deepEqual(config, {
    zone: '0123',
    table_size: 4096,
    interval: 90_000,
    fragments: true,
    interfaces: ['a', 'b'],
    buffer: 8 * 2 ** 20,
    sample_rate: 1,
    level: 'flows',
  })
  const one = await flowsConfig(['interfaces: ${env:ONE}'], { env })
  assert.deepEqual(one.interfaces, ['eth0'])
})

test('a default stands in only where the variable is not set, not where it is empty', async () => {
  const zone = async (line: string, env: Record<string, string>) =>
    (await flowsConfig([line], { env })).zone
  assert.equal(await zone('zone: ${env:Z:-north}', {}), 'north')
  assert.equal(await zone('zone: ${env:Z:-north}', { Z: '' }), '')
  assert.equal(await zone('zone: ${env:Z:-}', {}), '')
  assert.equal(await zone('zone: a${env:Z:-${env:Y:-deep}}b', {}), 'adeepb')
  assert.equal(await zone('zone: a${env:Z:-${env:Y:-deep}}b', { Y: 'y' }), 'ayb')
})

test('what came out of an expansion is not expanded again', async () => {
  const plan = await planOf({
    contents: { 'agent.yaml': withFlows().replace('path: x', 'path: "${env:P}"') },
    env: { P: '${env:HOME}/$$' },
  })
  assert.equal(plan.exporters[0].config.path, '${env:HOME}/$$')
})

test('$$ is a dollar, and so is a $ before anything but a brace', async () => {
  const path = async (text: string) =>
    (await planOf(withFlows().replace('path: x', () => `path: '${text}'`))).exporters[0].config.path
  assert.equal(await path('a$$b'), 'a$b')
  assert.equal(await path('$${env:X}'), '${env:X}')
  assert.equal(await path('$5 and $'), '$5 and $')
})

test('a file gives its text without the last line end, or a list', async () => {
  const contents = {
    'agent.yaml': withFlows('zone: ${file:zone.txt}', 'interfaces: ${file:links.yaml}'),
    'zone.txt': 'north-1\n',
    'links.yaml': '- a\n- b\n',
  }
  const files = ['agent.yaml']
  const plan = await planOf({ contents, files })
  assert.equal(plan.receivers[0].config.zone, 'north-1')
  assert.deepEqual(plan.receivers[0].config.interfaces, ['a', 'b'])
})

test('a whole section may come from a file', async () => {
  const contents = {
    'agent.yaml': withFlows().replace('{ flow_log: { path: x } }', '${file:exporters.yaml}'),
    'exporters.yaml': 'flow_log:\n  path: y\n',
  }
  const plan = await planOf({ contents, files: ['agent.yaml'] })
  assert.equal(plan.exporters[0].config.path, 'y')
})
