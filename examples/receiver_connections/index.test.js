/** The receiver over a file that this test writes, with lines as the kernel prints them. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import connections from './index.js'

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue\n'
const line = (i, state) => `  ${i}: 0100007F:1F4${i} 0200000A:01BB ${state} 0\n`
const hexOf = column => Buffer.from(column.slice(0, 16)).toString('hex')

test('each established connection is one row, in batches of the wanted size', () => {
  const folder = mkdtempSync(join(tmpdir(), 'connections_'))
  const path = join(folder, 'tcp')
  writeFileSync(path, HEAD + line(0, '01') + line(1, '0A') + line(2, '01') + line(3, '01'))
  const receiver = connections.open({ interval: 60_000, path })
  const first = receiver.read(2)
  const second = receiver.read(2)
  assert.deepEqual([first.length, second.length, receiver.read(2)], [2, 1, null])
  assert.deepEqual(Object.keys(first.columns), Object.keys(connections.emits))
  const ports = [...first.data.source_port.slice(0, 2), second.data.source_port[0]]
  assert.deepEqual(ports, [8000, 8002, 8003])
  assert.equal(first.data.destination_port[0], 443)
  assert.equal(hexOf(first.data.source_address), '00000000000000000000ffff7f000001')
  assert.equal(hexOf(first.data.destination_address), '00000000000000000000ffff0a000002')
  receiver.close()
  rmSync(folder, { recursive: true })
})
