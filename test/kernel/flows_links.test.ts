/**
 * Links come and go, the agent dies: what is observed follows, and what was counted is not lost.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import flows from '../../receivers/flows/index.ts'
import { FlowReceiver, flowsFolder, rowsOf, sum, where } from '../harness/flow_receiver.ts'
import { testHost } from '../harness/host.ts'
import { inPrivateNetwork, linkCounters, Pod, run } from '../harness/netns.ts'
import { send } from '../harness/traffic.ts'
import { until } from '../harness/until.ts'
import { MemoryTape } from '../native/help.ts'
import { startAgent } from './flow_agent.ts'

const PORT = 9
const mine = { protocol: 17, destination_port: PORT }

function said(receiver: FlowReceiver, words: string): boolean {
  return receiver.host.lines.some(line => line.message === words)
}

if (await inPrivateNetwork(import.meta.url)) {
  test('a pod that starts later is observed from its link on', async t => {
    const receiver = await FlowReceiver.open(t)
    assert.ok(said(receiver, 'no link to observe yet (interfaces: auto); waiting for one'))
    const pod = new Pod('late', { address: '10.95.0.2' })
    t.after(() => pod.close())
    await until('the link is observed', () => said(receiver, 'observing veth-late'))
    send(pod, 'udp_send', '10.95.0.1', PORT, 100, 10)
    assert.equal(sum(where(await receiver.end(), mine), 'packets'), 100)
  })

  test('a link that goes down and up again goes on counting in the same flow', async t => {
    const pod = new Pod('flap', { address: '10.95.0.2' })
    t.after(() => pod.close())
    const receiver = await FlowReceiver.open(t)
    for (let round = 0; round < 3; round++) {
      send(pod, 'udp_send', '10.95.0.1', PORT, 100, 10, 5000)
      run('ip link set veth-flap down && ip link set veth-flap up')
      pod.run('until [ "$(cat /sys/class/net/eth0/operstate)" = up ]; do :; done')
    }
    const rows = where(await receiver.end(), mine)
    assert.equal(sum(rows, 'packets'), 300)
    assert.equal(sum(rows, 'flow_starts'), 1)
  })

  test('a link that is deleted leaves a last row of each of its flows, with its name', async t => {
    const pod = new Pod('gone', { address: '10.95.0.2' })
    t.after(() => pod.close())
    const receiver = await FlowReceiver.open(t)
    send(pod, 'udp_send', '10.95.0.1', PORT, 100, 10)
    run('ip link del veth-gone')
    await receiver.readUntil('a last row', () => where(receiver.rows, { flow_state: 5 }).length > 0)
    const rows = where(receiver.rows, mine)
    assert.equal(sum(rows, 'packets'), 100)
    assert.deepEqual([rows.at(-1)!.flow_state, rows.at(-1)!.interface_name], [5, 'veth-gone'])
    assert.equal(where(await receiver.end(), mine).length, rows.length, 'nothing after the last')
  })

  test('a link that is made anew with the same number is observed again', async t => {
    const make = () => run('ip link add name same index 777 type veth peer name other')
    make()
    const receiver = await FlowReceiver.open(t, { interfaces: ['same'] })
    run('ip link del same')
    make()
    t.after(() => run('ip link del same'))
    const words = 'same was taken from us or made anew; it is observed again'
    await until('the link is observed again', () => said(receiver, words))
    run(`ip addr add 10.98.0.1/24 dev same && ip link set same up && ip link set other up
      ip neigh add 10.98.0.2 lladdr 02:00:00:00:00:02 dev same`)
    send(null, 'udp_send', '10.98.0.2', PORT, 100, 10)
    assert.equal(sum(where(await receiver.end(), mine), 'packets'), 100)
  })

  test('what passed a link before it was observed is counted as unobserved', async t => {
    const elsewhere = new Pod('x', { address: '10.97.0.2' })
    const pod = new Pod('late', { address: '10.95.0.2', isQuiet: true })
    t.after(() => {
      pod.close()
      elsewhere.close()
    })
    run(`ip link set veth-late netns ${elsewhere.name}`)
    elsewhere.run('ip addr add 10.95.0.1/24 dev veth-late; ip link set veth-late up')
    send(pod, 'udp_send', '10.95.0.1', PORT, 100, 10)
    elsewhere.run('ip link set veth-late down')
    const receiver = await FlowReceiver.open(t)
    run(`ip -n ${elsewhere.name} link set veth-late netns ${process.pid}`)
    const { received, transmitted } = linkCounters('veth-late')
    await until('the link is observed', () => said(receiver, 'observing veth-late'))
    assert.ok(received.packets >= 100)
    assert.equal(receiver.host.counts.unobserved_packets, received.packets + transmitted.packets)
  })

  test('a bridge is never observed beside its ports; asked for, it is refused', async t => {
    run('ip link add br0 type bridge && ip link set br0 up')
    t.after(() => run('ip link del br0'))
    const pod = new Pod('a', { address: '10.95.0.2', bridge: 'br0' })
    t.after(() => pod.close())
    const receiver = await FlowReceiver.open(t, { interfaces: ['auto', 'br*'] })
    const lines = receiver.host.lines.filter(line => line.level === 'warn')
    assert.deepEqual(
      lines.map(line => line.message),
      ['br0 is not observed: it carries the packets of veth-a, which is watched'],
    )
  })

  test('opening, the last reads and closing leave the event loop its turns', async t => {
    const pods = ['a', 'b', 'c'].map((name, at) => new Pod(name, { address: `10.9${at}.0.2` }))
    t.after(() => {
      for (const pod of pods) pod.close()
    })
    let turns = 0
    let counting = setImmediate(function count() {
      turns++
      counting = setImmediate(count)
    })
    t.after(() => clearImmediate(counting))
    const receiver = await FlowReceiver.open(t)
    assert.ok(turns >= 2, `${turns} turns while three links were attached`)
    send(pods[0]!, 'udp_send', '10.90.0.1', PORT, 100, 10)
    receiver.finish()
    send(pods[0]!, 'udp_send', '10.90.0.1', PORT, 50, 10)
    turns = 0
    const rows = await receiver.end()
    assert.equal(sum(where(rows, mine), 'packets'), 150, 'links are let go after the last reads')
    assert.ok(turns >= 2, `${turns} turns while three links were let go`)
  })

  test('after kill -9 nothing stays attached, and the next agent counts exactly', async t => {
    const pod = new Pod('a', { address: '10.95.0.2' })
    t.after(() => pod.close())
    const agent = await startAgent(t)
    const links = bpfLinksOf(agent.pid!)
    assert.equal(links.length, 2, 'ingress and egress of one link')
    send(pod, 'udp_send', '10.95.0.1', PORT, 50, 10)
    agent.kill('SIGKILL')
    await until('the kernel has let the links go', () => !links.some(isBpfLink))
    const receiver = await FlowReceiver.open(t)
    send(pod, 'udp_send', '10.95.0.1', PORT, 100, 10)
    assert.equal(sum(where(await receiver.end(), mine), 'packets'), 100)
  })

  test('a recording of links and flows that came and went replays to the same rows', async t => {
    const tape = new MemoryTape()
    const recorded = await FlowReceiver.open(t, { idle_timeout: 150 }, { tape: tape.recorder })
    for (const name of ['one', 'two']) {
      const pod = new Pod(name, { address: '10.95.0.2' })
      await until('the link is observed', () => said(recorded, `observing veth-${name}`))
      send(pod, 'udp_spray', '10.95.0.1', 9000, 300, 10)
      await recorded.readUntil('rows of the pod', () =>
        recorded.rows.some(row => row.interface_name === `veth-${name}`),
      )
      pod.close()
    }
    await recorded.readUntil('all flows are over', () => {
      const last = recorded.rows.filter(row => row.flow_state === 5 && row.protocol === 17)
      return last.length >= 600
    })
    const rows = await recorded.end()

    const host = testHost({ id: 'flows', folder: flowsFolder, tape: tape.player() })
    const config = { ...replayed, idle_timeout: 150 }
    const receiver = await flows.open(config as never, host)
    const played = []
    for (let left = tape.queues.get('clock')!.length; left > 0; left--) {
      const batch = receiver.read(4096)
      if (batch) played.push(...rowsOf(batch))
    }
    await receiver.close()
    assert.ok(rows.length >= 600)
    assert.deepEqual(played, rows)
    assert.deepEqual(host.counts, recorded.host.counts)
  })
}

const replayed = {
  interfaces: ['auto'],
  exclude_interfaces: [],
  interval: 100,
  ended_timeout: 5000,
  table_size: 65_536,
}

/** Ids of the BPF links that a process holds. */
function bpfLinksOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/fdinfo`)
    .map(fd => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))
    .flatMap(text => /^link_id:\s*(\d+)/m.exec(text)?.[1] ?? [])
    .map(Number)
}

function isBpfLink(id: number): boolean {
  try {
    run(`bpftool link show id ${id}`)
    return true
  } catch {
    return false
  }
}
