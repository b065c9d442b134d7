/** The stage with networks as its feed sends them, and the feed over a file that changes. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { BatchWriter, MissingColumns } from 'fovea'
import siteNames from './index.js'

const COLUMNS = { source_address: 'address', destination_address: 'address', source_pod: 'text' }
const mapped = ipv4 => [...Array(10).fill(0), 255, 255, ...ipv4]
const bytesOf = text => Uint8Array.from(Buffer.from(text)).buffer

function batch() {
  const writer = new BatchWriter('flows', COLUMNS, 1)
  writer.data.source_address.set(mapped([10, 1, 2, 3]))
  writer.data.destination_address.set(mapped([10, 9, 0, 1]))
  writer.data.source_pod[0] = writer.textId('web-0')
  writer.length = 1
  return writer.done()
}

test('the smallest network that holds an address names it, and other columns stay', () => {
  const stage = siteNames.open()
  const named = () => {
    const { data, text } = stage.process(batch())
    return ['source_site', 'destination_site', 'source_pod'].map(column => text[data[column][0]])
  }
  assert.deepEqual(named(), ['', '', 'web-0'])
  stage.update(bytesOf('10.0.0.0/8,office\n10.1.0.0/16,berlin\nnonsense\n'))
  assert.deepEqual(named(), ['berlin', 'office', 'web-0'])
})

test('a table without addresses is refused, one with them gets two columns', () => {
  assert.throws(() => siteNames.plan({ samples: { value: 'number' } }), MissingColumns)
  const { flows } = siteNames.plan({ flows: COLUMNS })
  assert.deepEqual(flows, { ...COLUMNS, source_site: 'text', destination_site: 'text' })
})

test('the feed sends the file, and again when it changed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'site_names_'))
  const path = join(folder, 'sites.csv')
  writeFileSync(path, '10.0.0.0/8,one\n')
  const sent = []
  const feed = siteNames.feed({ path })
  feed.start(buffer => {
    sent.push(Buffer.from(buffer).toString())
  })
  // Again and again: a change before the watch's first look is none.
  for (let tries = 0; sent.length < 2 && tries < 100; tries++) {
    writeFileSync(path, '10.0.0.0/8,another\n')
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  feed.close()
  assert.equal(sent[0], '10.0.0.0/8,one\n')
  assert.equal(sent[1], '10.0.0.0/8,another\n')
  assert.equal(Buffer.from(feed.snapshot()).toString(), '10.0.0.0/8,another\n')
  rmSync(folder, { recursive: true })
})
