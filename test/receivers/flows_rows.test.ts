/**
 * Kernel bytes into rows: growth since the last read, without a kernel.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flowCount, flowKey } from '../../receivers/flows/flows.generated.ts'
import { chunkOf, FlowRows, hasGrown, keptWords } from '../../receivers/flows/rows.ts'
import { type FlowRow, rowsOf } from '../harness/flow_receiver.ts'

type Counts = Partial<Record<Exclude<keyof typeof flowCount.fields, 'pad'>, number>>

/** One entry read again and again: the row of each reading. */
class Entry {
  readonly #keys = chunkOf(flowKey.size)
  readonly #values = chunkOf(flowCount.size)
  readonly #kept = new Uint32Array(keptWords)

  constructor() {
    const view = new DataView(this.#keys.bytes.buffer)
    view.setUint8(10, 255)
    view.setUint8(11, 255)
    this.#keys.bytes.set([10, 0, 0, 1], 12)
    this.#keys.bytes.set([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], 16)
    view.setUint16(flowKey.fields.source_port.offset, 40_000, true)
    view.setUint32(flowKey.fields.interface.offset, 70_000, true)
  }

  set(counts: Counts): void {
    const view = new DataView(this.#values.bytes.buffer)
    this.#values.bytes.fill(0)
    for (const [name, value] of Object.entries(counts)) {
      const { offset, type } = flowCount.fields[name as keyof Counts]
      if (type === 'u64') view.setBigUint64(offset, BigInt(value), true)
      else if (type === 'u32') view.setUint32(offset, value, true)
      else if (type === 'u16') view.setUint16(offset, value, true)
      else view.setUint8(offset, value)
    }
  }

  get hasGrown(): boolean {
    return hasGrown(this.#values, 0, this.#kept, 0)
  }

  read(counts: Counts, ending = 0): FlowRow {
    this.set(counts)
    const rows = new FlowRows(1, 1_000_000, ifindex => `link${ifindex}`)
    rows.add(this.#keys, this.#values, 0, this.#kept, 0, ending)
    return rowsOf(rows.writer.done())[0]!
  }
}

test('the first reading is all growth, later ones are differences', () => {
  const entry = new Entry()
  const first = entry.read({ packets: 10, bytes: 2 ** 40, flow_starts: 1, syn: 1, first_ns: 5000 })
  assert.deepEqual(
    [first.packets, first.bytes, first.flow_starts, first.syn, first.flow_state, first.start_us],
    [10, 2 ** 40, 1, 1, 1, 1_000_005],
  )
  const second = entry.read({
    packets: 2 ** 33,
    bytes: 2 ** 41,
    flow_starts: 1,
    syn: 1,
    fin: 3,
    last_ns: 9_999_999,
  })
  assert.deepEqual(
    [second.packets, second.bytes, second.flow_starts, second.syn, second.fin, second.flow_state],
    [2 ** 33 - 10, 2 ** 40, 0, 0, 3, 2],
  )
  assert.equal(second.time_us, 1_009_999)
})

test('addresses, ports and the name of the link come from the key', () => {
  const row = new Entry().read({ packets: 1 })
  assert.deepEqual(
    [row.source_address, row.destination_address, row.source_port, row.interface_name],
    ['10.0.0.1', 'fd00::9', 40_000, 'link70000'],
  )
})

test('an entry that was made anew between two readings is all growth again', () => {
  const entry = new Entry()
  entry.read({ packets: 1000, bytes: 9000, flow_starts: 3, rst: 2, handshake_us: 7 })
  const row = entry.read({ packets: 4, bytes: 400, flow_starts: 1, rst: 1, handshake_us: 7 })
  assert.deepEqual(
    [row.packets, row.bytes, row.flow_starts, row.rst, row.handshake_us, row.flow_state],
    [4, 400, 1, 1, 7, 1],
  )
})

test('a counter of 32 bits that wrapped has grown by what it passed', () => {
  const entry = new Entry()
  entry.read({ packets: 1, ece: 2 ** 32 - 2 })
  assert.equal(entry.read({ packets: 2, ece: 5 }).ece, 7)
})

test('a handshake is told in one row, and again in the next flow of the entry', () => {
  const entry = new Entry()
  const told = [
    entry.read({ packets: 1, flow_starts: 1 }),
    entry.read({ packets: 2, flow_starts: 1, handshake_us: 250 }),
    entry.read({ packets: 3, flow_starts: 1, handshake_us: 250 }),
    entry.read({ packets: 6, flow_starts: 2, handshake_us: 250 }),
    entry.read({ packets: 7, flow_starts: 2, handshake_us: 250 }),
  ].map(row => row.handshake_us)
  assert.deepEqual(told, [0, 250, 0, 250, 0])
})

test('growth is a change of packets, in either half of the number', () => {
  const entry = new Entry()
  entry.read({ packets: 5 })
  assert.equal(entry.hasGrown, false)
  entry.set({ packets: 6 })
  assert.equal(entry.hasGrown, true)
  entry.set({ packets: 5 + 2 ** 32 })
  assert.equal(entry.hasGrown, true)
})

test('a last row says how the flow ended, even without a packet', () => {
  const entry = new Entry()
  entry.read({ packets: 5, bytes: 500, flow_starts: 1, initiator: 2 })
  const row = entry.read({ packets: 5, bytes: 500, flow_starts: 1, initiator: 2 }, 3)
  assert.deepEqual([row.packets, row.bytes, row.flow_state, row.is_reply], [0, 0, 3, 1])
})
