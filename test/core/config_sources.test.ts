/**
 * Several files, `--set` and `${...}`: who wins, what a value becomes, and where a mistake is shown.
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

test('a later map with nothing in it erases nothing; a later option with nothing is its default', async () => {
  const later = 'receivers:\nexporters: { flow_log: }\nservice:\n'
  const plan = await planOf({ contents: { 'a.yaml': BASE, 'b.yaml': later } })
  assert.equal(plan.receivers[0].config.interval, 5000)
  assert.equal(plan.exporters[0].config.path, 'x')
  const reset = 'receivers: { flows: { interval: , level: null } }\n'
  const other = await planOf({ contents: { 'a.yaml': BASE, 'b.yaml': reset } })
  assert.equal(other.receivers[0].config.interval, 1000)
  assert.equal(other.receivers[0].config.level, 'flows')
})

test('a later value is shown in its own file, an earlier one in that', async () => {
  const earlier = withFlows('interval: 5', 'zone: A').replace('path: x', 'pat: x')
  const later = 'receivers:\n  flows:\n    level: flow\n    zone: B\n'
  assert.deepEqual(await mistakesIn({ contents: { 'a.yaml': earlier, 'b.yaml': later } }), [
    'a.yaml:3:15 receivers.flows.interval: 5 has no unit; write 5s, or 5ms, 5m, 5h',
    'a.yaml:5:14 exporters.flow_log.path: must be given: The file',
    'a.yaml:5:26 exporters.flow_log.pat: unknown option, did you mean "path"?',
    'b.yaml:3:12 receivers.flows.level: must be one of packets, bytes, flows; did you mean "flows"?',
    'b.yaml:4:11 receivers.flows.zone: "B" does not have the form ^[a-z0-9-]*$',
  ])
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

test('mistakes of --set name the option that was set', async () => {
  const sets = [
    'receivers.flows.interval=10',
    'receivers.flows.intervl=1s',
    'receivers.flows.table_size=many',
    'receivers.flows.rate',
    'a..b=1',
  ]
  assert.deepEqual(await mistakesIn({ contents: { 'agent.yaml': BASE }, sets }), [
    '--set receivers.flows.rate has no value; write --set a.b.c=value',
    '--set a..b has an empty key; write --set a.b.c=value',
  ])
  assert.deepEqual(await mistakesIn({ contents: { 'agent.yaml': BASE }, sets: sets.slice(0, 3) }), [
    '--set receivers.flows.interval 10 has no unit; write 10s, or 10ms, 10m, 10h',
    '--set receivers.flows.intervl unknown option, did you mean "interval"?',
    '--set receivers.flows.table_size expected a whole number, got "many"',
  ])
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

test('a default stands in only where the variable is not set; set and empty stays empty', async () => {
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

test('a file gives its text without the last line end; a map or a list from a file keeps its own places', async () => {
  const contents = {
    'agent.yaml': withFlows('zone: ${file:zone.txt}', 'interfaces: ${file:links.yaml}'),
    'zone.txt': 'north-1\n',
    'links.yaml': '- a\n- b\n',
  }
  const files = ['agent.yaml']
  const plan = await planOf({ contents, files })
  assert.equal(plan.receivers[0].config.zone, 'north-1')
  assert.deepEqual(plan.receivers[0].config.interfaces, ['a', 'b'])
  const wrong = { ...contents, 'links.yaml': '- a\n- 5\n' }
  assert.deepEqual(await mistakesIn({ contents: wrong, files }), [
    'links.yaml:2:3 receivers.flows.interfaces.1: expected text, got the number 5; put it in quotes: "5"',
  ])
})

test('a whole section may come from a file', async () => {
  const contents = {
    'agent.yaml': withFlows().replace('{ flow_log: { path: x } }', '${file:exporters.yaml}'),
    'exporters.yaml': 'flow_log:\n  path: y\n',
  }
  const plan = await planOf({ contents, files: ['agent.yaml'] })
  assert.equal(plan.exporters[0].config.path, 'y')
})

test('what cannot be expanded is named, all of it, beside what is wrong otherwise', async () => {
  const lines = [
    'buffer: ${env:B}',
    'zone: ${X}',
    'level: ${env:a b}',
    'table_size: ${http:y}',
    'sample_rate: ${evn:R}',
    'interfaces: ["${env:A", "${file:nope}"]',
    'interval: 5',
  ]
  assert.deepEqual(await mistakesIn(withFlows(...lines)), [
    'agent.yaml:3:13 receivers.flows.buffer: environment variable B is not set; set it, or give a default: ${env:B:-value}',
    'agent.yaml:4:11 receivers.flows.zone: ${X} names no source; write ${env:X}, or $$ for a plain $',
    'agent.yaml:5:12 receivers.flows.level: "a b" cannot be the name of an environment variable',
    'agent.yaml:6:17 receivers.flows.table_size: ${http:y}: unknown source "http"; there are env and file',
    'agent.yaml:7:18 receivers.flows.sample_rate: ${evn:R}: unknown source "evn", did you mean "env"?',
    'agent.yaml:8:18 receivers.flows.interfaces.0: "${env:A" has no closing }; write $$ for a plain $',
    'agent.yaml:8:29 receivers.flows.interfaces.1: ${file:nope} cannot be read: there is no such file',
    'agent.yaml:9:15 receivers.flows.interval: 5 has no unit; write 5s, or 5ms, 5m, 5h',
  ])
})

test('a wrong value that came out of an expansion is described, never shown', async () => {
  const lines = [
    'interval: ${env:SECRET}',
    'buffer: ${env:NUMBER}',
    'table_size: ${env:SECRET}',
    'level: ${env:SECRET}',
    'zone: ${env:SECRET}',
    'interfaces: { a: "${env:SECRET}" }',
  ]
  const env = { SECRET: 'hunter2!', NUMBER: '77' }
  const said = await mistakesIn({ contents: { 'agent.yaml': withFlows(...lines) }, env })
  assert.deepEqual(said, [
    'agent.yaml:3:15 receivers.flows.interval: expected a time like 250ms, 10s or 1h30m, but ${env:SECRET} gave something else',
    'agent.yaml:4:13 receivers.flows.buffer: expected a size like 512B, 64KiB or 10MB, but ${env:NUMBER} gave a number without a unit',
    'agent.yaml:5:17 receivers.flows.table_size: expected a whole number, but ${env:SECRET} gave something else',
    'agent.yaml:6:12 receivers.flows.level: must be one of packets, bytes, flows, but ${env:SECRET} gave something else',
    'agent.yaml:7:11 receivers.flows.zone: what ${env:SECRET} gave does not have the form ^[a-z0-9-]*$',
    'agent.yaml:8:17 receivers.flows.interfaces.0: expected text, got a map',
  ])
  assert.doesNotMatch(said.join('\n'), /hunter2|77/)
})

test('a value of a secret option is never shown', async () => {
  const text = withFlows().replace('path: x', 'path: x, headers: { a: 5551234, b: [5551234] }')
  const said = await mistakesIn(text)
  assert.deepEqual(said, [
    'agent.yaml:3:49 exporters.flow_log.headers.a: expected text, got a number; put it in quotes',
    'agent.yaml:3:61 exporters.flow_log.headers.b: expected text, got a list',
  ])
})
