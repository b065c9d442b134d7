/**
 * The flow table at its limits: full, emptied under traffic, flushed at the end. No packet is lost.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { FlowReceiver, sum, where } from '../harness/flow_receiver.ts'
import { inPrivateNetwork, Pod } from '../harness/netns.ts'
import { send, sending } from '../harness/traffic.ts'

const udp = 17

if (await inPrivateNetwork(import.meta.url)) {
  let pod: Pod
  before(() => {
    pod = new Pod('a', { address: '10.90.0.2', isQuiet: true })
  })
  after(() => pod.close())

  test('a full table refuses new flows, and their packets are rows without addresses', async t => {
    const flows = await FlowReceiver.open(t, { table_size: 1024 })
    send(pod, 'udp_spray', '10.90.0.1', 20_000, 3000, 100)
    const rows = where(await flows.end(), { protocol: udp })
    const own = rows.filter(row => row.flow_state !== 6)
    const other = where(rows, { flow_state: 6 })
    assert.equal(sum(rows, 'packets'), 3000)
    assert.equal(sum(rows, 'bytes'), 3000 * 128)
    assert.ok(own.length > 1000 && own.length <= 1024, `${own.length} flows in 1,024 places`)
    assert.deepEqual(
      other.map(row => [
        row.other_cause,
        row.source_address,
        row.destination_address,
        row.destination_port,
        row.interface_name,
        row.direction,
        row.flow_starts,
      ]),
      [['table_full', '::', '::', 0, 'veth-a', 2, 0]],
    )
    assert.deepEqual(flows.host.losses, {})
  })

  test('flows that come back after they were deleted lose no packet', async t => {
    const flows = await FlowReceiver.open(t, { idle_timeout: 60 })
    const sent = pod.counter('Udp.OutDatagrams')
    let isOver = false
    const sender = sending(t, pod, 'udp_bursts', '10.90.0.1', 9, 10, 50, 20, 150)
    sender.finally(() => {
      isOver = true
    })
    await flows.readUntil('the sender is done', () => isOver)
    await sender
    const rows = where(await flows.end(), { protocol: udp })
    assert.equal(pod.counter('Udp.OutDatagrams') - sent, 10_000)
    assert.equal(sum(rows, 'packets'), 10_000)
    const deleted = where(rows, { flow_state: 5 }).length
    assert.ok(deleted > 200, `only ${deleted} deletions of 50 flows`)
    // Each deletion makes the next packet a new flow, and nothing else does.
    const starts = sum(rows, 'flow_starts')
    assert.ok(starts > deleted - 50 && starts <= deleted + 50, `${starts} starts`)
  })

  test('what was counted since the last read comes out at the end, once', async t => {
    const flows = await FlowReceiver.open(t, { interval: 3_600_000 })
    flows.read()
    send(pod, 'udp_spray', '10.90.0.1', 20_000, 6000, 100)
    assert.equal(flows.read(), 0, 'nothing is due for an hour')
    const rows = where(await flows.end(), { protocol: udp })
    assert.equal(sum(rows, 'packets'), 6000)
    assert.equal(rows.length, 6000)
  })

  test('a large table that did not change is swept without a row', async t => {
    const flows = await FlowReceiver.open(t)
    send(pod, 'udp_spray', '10.90.0.1', 10_000, 30_000, 10)
    const count = () => sum(where(flows.rows, { protocol: udp }), 'packets')
    await flows.readUntil('30,000 packets', () => count() === 30_000)
    const before = flows.rows.length
    send(pod, 'udp_spray', '10.90.0.1', 10_000, 1, 10)
    await flows.readUntil('one more row', () => count() > 30_000)
    const more = where(flows.rows.slice(before), { protocol: udp })
    assert.deepEqual(
      more.map(row => [row.destination_port, row.packets, row.flow_state]),
      [[10_000, 1, 1]],
    )
  })
}
