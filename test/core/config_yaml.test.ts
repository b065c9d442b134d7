/**
 * Mistakes in the YAML itself: each with the exact line that a person reads.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mistakesIn, planOf, withFlows } from './config_fixture.ts'

/** Text of a file, then the lines that `fovea` prints. */
const cases: readonly (readonly [name: string, text: string, ...lines: readonly string[]])[] = [
  [
    'a tab that indents is named, and nothing that follows from it',
    'receivers:\n  flows:\n\t- drops\n',
    'agent.yaml:3:1 a tab indents this line; YAML takes spaces only',
  ],
  [
    'a key written twice is shown with the line of the first',
    withFlows('zone: a', 'interval: 1s', 'zone: b'),
    'agent.yaml:5:5 receivers.flows.zone: written twice (first in line 3); keep one',
  ],
  [
    'an anchor, an alias and a merge key each say what to write instead',
    withFlows('interval: &pace 1s', 'zone: *pace', '<<: { zone: a }'),
    ...[
      'agent.yaml:3:21 receivers.flows.interval: anchors (&pace) are not read',
      'agent.yaml:4:11 receivers.flows.zone: aliases (*pace) are not read',
      'agent.yaml:5:5 receivers.flows: merge keys (<<) are not read',
    ].map(
      line => `${line}; write the value out, or share it as \${file:PATH} or in a second --config`,
    ),
  ],
  [
    'a second document is refused where it begins',
    'receivers: {}\n---\nservice: {}\n',
    'agent.yaml:2:1 a second document begins here; a file holds one, give the other with another --config',
  ],
  [
    'a tag is refused',
    withFlows('level: !level flows'),
    'agent.yaml:3:12 the tag !level means nothing here; remove it',
  ],
  [
    'another version of YAML is refused',
    '%YAML 1.1\n---\nreceivers: {}\n',
    'agent.yaml:1:1 %YAML 1.1: only YAML 1.2 is read',
  ],
  [
    'a list that is not closed is reported once, where it was noticed',
    'receivers: [flows\nservice: {}\n',
    'agent.yaml:2:1 not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  [
    'a quote that is not closed is reported',
    'receivers: "flows\n',
    'agent.yaml:2:1 not valid YAML: Missing closing " quote',
  ],
  [
    'wrong indentation is reported',
    'receivers:\n    flows: {}\n  drops: {}\n',
    'agent.yaml:3:1 not valid YAML: All mapping items must start at the same column',
  ],
  [
    'an expansion inside braces needs quotes',
    'receivers: { flows: { zone: ${env:ZONE} } }\n',
    'agent.yaml:1:30 inside { } and [ ] an expansion needs quotes: "${env:NAME}"',
  ],
  [
    'keys that are no names are refused',
    withFlows('? [zone]', ': a', '__proto__: b', ': c'),
    'agent.yaml:3:7 receivers.flows: a key must be text, not a list or a map',
    'agent.yaml:5:5 receivers.flows: "__proto__" cannot be a key',
    'agent.yaml:6:7 receivers.flows: a key is missing before ":"',
  ],
  [
    'a file that is a list is no configuration',
    '- flows\n',
    'agent.yaml:1:1 a configuration is a map of receivers, processors, exporters, plugins, service',
  ],
  [
    'an empty file has no pipeline',
    '# nothing yet\n',
    'agent.yaml:1:1 service.pipelines: there is no pipeline, so nothing would run; name at least one',
  ],
]

for (const [name, text, ...lines] of cases) {
  test(name, async () => assert.deepEqual(await mistakesIn(text), lines))
}

test('mistakes of all files come out together', async () => {
  const contents = { 'a.yaml': 'receivers:\n\tflows:\n', 'b.yaml': 'receivers: &x {}\n' }
  const lines = await mistakesIn({ contents, files: ['a.yaml', 'b.yaml', 'c.yaml'] })
  assert.deepEqual(lines.length, 3)
  assert.match(lines[0], /^a\.yaml:2:1 a tab/)
  assert.match(lines[1], /^b\.yaml:1:15 receivers: anchors/)
  assert.equal(lines[2], 'c.yaml cannot be read: there is no such file')
})

test('comments, block scalars, CRLF and a byte order mark are YAML as usual', async () => {
  const text = `\ufeff${withFlows('zone: |-', '  eu-1', 'level: "flows" # all').replaceAll('\n', '\r\n')}`
  const plan = await planOf(text)
  assert.equal(plan.receivers[0].config.zone, 'eu-1')
  assert.equal(plan.receivers[0].config.level, 'flows')
})

test('yes and on are words in YAML 1.2, not truth', async () => {
  const plan = await planOf(withFlows('zone: on', 'interfaces: [yes, no]'))
  assert.equal(plan.receivers[0].config.zone, 'on')
  assert.deepEqual(plan.receivers[0].config.interfaces, ['yes', 'no'])
})
