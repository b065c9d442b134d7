/**
 * Mistakes in the YAML itself: each with the exact line that a person reads.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mistakesIn, planOf, withFlows } from './config_fixture.ts'

test('mistakes of all files come out together', async () => {
  const contents = { 'a.yaml': 'receivers:\n\tflows:\n', 'b.yaml': 'receivers: &x {}\n' }
  const lines = await mistakesIn({ contents, files: ['a.yaml', 'b.yaml', 'c.yaml'] })
  assert.deepEqual(lines.length, 3)
  assert.match(lines[0], /^a\.yaml:2:1 a tab/)
  assert.match(lines[1], /^b\.yaml:1:15 receivers: anchors/)
  assert.equal(lines[2], 'c.yaml cannot be read: there is no such file')
})

test('comments, block scalars, CRLF and a byte order mark are YAML as usual', async () => {
  const lines = withFlows('zone: |-', '  eu-1', 'level: "flows" # all')
  const text = `\ufeff${lines.replaceAll('\n', '\r\n')}`
  const plan = await planOf(text)
  assert.equal(plan.receivers[0].config.zone, 'eu-1')
  assert.equal(plan.receivers[0].config.level, 'flows')
})

test('yes and on are words in YAML 1.2, not truth', async () => {
  const plan = await planOf(withFlows('zone: on', 'interfaces: [yes, no]'))
  assert.equal(plan.receivers[0].config.zone, 'on')
  assert.deepEqual(plan.receivers[0].config.interfaces, ['yes', 'no'])
})
