/**
 * The options table of a README: what is written for every kind of option, and when it differs.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { optionsTable, syncReadme } from '../../core/readme.ts'
import { flowLog, flows, prometheus } from './config_fixture.ts'

test('every kind of option has its row', () => {
  assert.equal(
    optionsTable(flows.config),
    `| option | type | default | description |
|---|---|---|---|
| \`interfaces\` | list of text | \`["auto"]\` | Which links. |
| \`interval\` | duration, 100ms to 1h | \`1s\` | Time between two reads. |
| \`buffer\` | size, at least 4KiB | \`8MiB\` | Room for rows. |
| \`table_size\` | integer, 1024 to 1048576 | \`65536\` | Flows held. |
| \`sample_rate\` | number | \`1\` | Share of flows. |
| \`fragments\` | boolean | \`false\` | Follow fragments. |
| \`zone\` | text |  | Where this is. |
| \`level\` | \`packets\` or \`bytes\` or \`flows\` | \`flows\` | What is counted. |`,
  )
})

test('options of groups, lists and maps are paths; pipes are escaped', () => {
  const list = {
    type: 'list',
    items: { type: 'group', description: 'One.', properties: prometheus.config },
    description: 'Either a | or b.',
  } as const
  assert.deepEqual(
    optionsTable({ many: list, ...flowLog.config })
      .split('\n')
      .slice(2),
    [
      '| `many` | list of group |  | Either a \\| or b. |',
      '| `many[].endpoint` | text | `127.0.0.1:9464` | Where it listens. |',
      '| `many[].bearer_token` | secret |  | Who may read. |',
      '| `many[].tls` | group |  | Encryption. |',
      '| `many[].tls.cert` | text | required | Certificate file. PEM. |',
      '| `many[].tls.min_version` | `1.2` or `1.3` | `1.2` | TLS. |',
      '| `path` | text | required | The file. It is created. |',
      '| `headers` | map of secret | `{}` | Sent along. |',
      '| `rotate` | group |  | When a new file begins. |',
      '| `rotate.size` | size | `64MiB` | At this size. |',
      '| `rotate.ages` | list of duration | `["1d"]` | At these ages. |',
      '| `shape` | see below |  | Anything. |',
    ],
  )
})

test('a README is compared, and written when asked to', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-readme-'))
  const path = join(folder, 'README.md')
  try {
    writeFileSync(path, '# X\n')
    const markers = '<!-- options --> and <!-- /options -->'
    assert.equal(syncReadme(path, {}), `${path} lacks ${markers} around its options table`)
    writeFileSync(path, '# X\n<!-- options -->\nold\n<!-- /options -->\nmore\n')
    assert.equal(
      syncReadme(path, flows.config),
      `${path}: the options table is not what the schema says; run the test with UPDATE=1`,
    )
    assert.equal(syncReadme(path, flows.config, true), undefined)
    assert.equal(syncReadme(path, flows.config), undefined)
    const table = optionsTable(flows.config)
    const text = `# X\n<!-- options -->\n${table}\n<!-- /options -->\nmore\n`
    assert.equal(readFileSync(path, 'utf8'), text)
    assert.equal(syncReadme(path, {}, true), undefined)
    assert.match(readFileSync(path, 'utf8'), /-->\nThere are no options\.\n<!--/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
