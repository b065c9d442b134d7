/**
 * Tapes: what was appended comes back by key, in order, with its time; damage at the end loses only
 * the end.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openTape, type TapeStream, TapeWriter } from '../../core/tape.ts'

const folder = mkdtempSync(join(tmpdir(), 'fovea-tape-'))
after(() => rmSync(folder, { recursive: true }))

const streams: TapeStream[] = [
  { id: 'flows', type: 'flows', config: { interval: 1000 }, tables: { flows: { a: 'u8' } } },
  { id: 'drops/x', type: 'drops', config: {}, tables: {} },
]

async function record(name: string): Promise<string> {
  const path = join(folder, name)
  const writer = new TapeWriter(path, streams)
  const flows = writer.stream('flows')
  const drops = writer.stream('drops/x')
  flows.append('map', Uint8Array.of(1, 2, 3))
  drops.append('map', Uint8Array.of(9))
  flows.append('clock', Uint8Array.of())
  flows.append('map', Uint8Array.of(4))
  await writer.close()
  await writer.close()
  return path
}

for (const name of ['plain.tape', 'packed.tape.zst', 'packed.tape.gz']) {
  test(`${name}: answers come back by stream and key, in the order of recording`, async () => {
    const reader = openTape(await record(name))
    assert.deepEqual(reader.streams, streams)
    assert.equal(reader.complete, true)
    const flows = reader.stream('flows')
    assert.notEqual(reader.nextAtMs('flows'), null)
    assert.deepEqual([...(flows.next('map') ?? [])], [1, 2, 3])
    assert.deepEqual([...(flows.next('map') ?? [])], [4])
    assert.equal(flows.next('map'), null)
    assert.equal(flows.next('never asked'), null)
    assert.deepEqual([...(reader.stream('drops/x').next('map') ?? [])], [9])
    assert.notEqual(reader.nextAtMs('flows'), null, 'the clock was not asked yet')
    assert.deepEqual([...(flows.next('clock') ?? [1])], [])
    assert.equal(reader.nextAtMs('flows'), null)
  })
}

test('a tape cut off in an entry plays what is whole and says so', async () => {
  const bytes = readFileSync(await record('whole.tape'))
  const path = join(folder, 'cut.tape')
  writeFileSync(path, bytes.subarray(0, bytes.length - 1))
  const reader = openTape(path)
  assert.equal(reader.complete, false)
  const flows = reader.stream('flows')
  assert.deepEqual([...(flows.next('map') ?? [])], [1, 2, 3])
  assert.equal(flows.next('map'), null)
})

test('a missing file and a file that is no tape are named with their path', () => {
  const path = join(folder, 'no.tape')
  assert.throws(() => openTape(path), {
    name: 'ConfigError',
    message: `${path}: there is no such file`,
  })
  writeFileSync(path, 'hello\n')
  const message = `${path}: not a tape (a file written by fovea run --record)`
  assert.throws(() => openTape(path), { name: 'ConfigError', message })
})
