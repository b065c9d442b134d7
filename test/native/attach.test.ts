/** Attaching and detaching, each in a network namespace of its own. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs'
import { test } from 'node:test'
import {
  Agent,
  agentInNamespace,
  eventually,
  exists,
  goodPrograms,
  hasLiveFrames,
  hasTcx,
  needsRoot,
} from './help.ts'

const skip = needsRoot
const loopback = 1
const packets = 101
const settings = { events: 0 }
const object = ['probe.bpf.o', { settings, programs: goodPrograms }] as const
const into = { kind: 'tc', ifindex: loopback, direction: 'ingress' } as const
const outOf = { kind: 'tc', ifindex: loopback, direction: 'egress' } as const

for (const [via, clsact] of [
  [hasTcx ? 'tcx' : 'clsact', false],
  ['clsact', true],
] as const) {
  const way = clsact ? 'told to use clsact' : 'left to choose'
  test(`a tc program, ${way}, counts every packet by ${via}, and none after it is closed`, {
    skip,
  }, async t => {
    const agent = await agentInNamespace(t, { clsact })
    await agent.call('open', ...object)
    assert.equal(await agent.call('attach', 'probe_packet', into), via)
    assert.equal(await agent.call('attach', 'probe_second', outOf), via)
    await agent.call('send', packets)
    assert.deepEqual([await agent.call('seen', 0), await agent.call('seen', 1)], [packets, packets])
    await agent.call('detach')
    await agent.call('send', packets)
    assert.deepEqual([await agent.call('seen', 0), await agent.call('seen', 1)], [packets, packets])
  })
}

test('xdp, socket filter, tp_btf, raw and classic tracepoint all see packets', {
  skip,
}, async t => {
  const agent = await agentInNamespace(t)
  await agent.call('open', ...object)
  await agent.call('attach', 'probe_xdp', { kind: 'xdp', ifindex: loopback })
  await agent.call('attach', 'probe_socket', { kind: 'socket_filter', ifindex: loopback })
  await agent.call('attach', 'probe_tracing', { kind: 'tp_btf' })
  await agent.call('attach', 'probe_raw', { kind: 'raw_tracepoint', name: 'netif_receive_skb' })
  await agent.call('send', packets)
  assert.equal(await agent.call('seen', 2), packets, 'xdp')
  assert.equal(await agent.call('seen', 3), 2 * packets, 'socket filter: out and in')
  // These two see the whole machine, so others' packets may come on top.
  assert.ok((await agent.call('seen', 4)) >= packets, 'tp_btf')
  assert.ok((await agent.call('seen', 5)) >= packets, 'raw tracepoint')
})

test('live frames of a test run travel on, others do not', { skip }, async t => {
  const agent = await agentInNamespace(t)
  await agent.call('open', ...object)
  await agent.call('attach', 'probe_socket', { kind: 'socket_filter', ifindex: loopback })
  const xdpPass = 2
  assert.equal(await agent.call('testRun', 'probe_xdp', packets, false), xdpPass)
  assert.deepEqual([await agent.call('seen', 2), await agent.call('seen', 3)], [packets, 0])
  if (!hasLiveFrames) return t.skip('live frames came with Linux 5.18')
  await agent.call('testRun', 'probe_xdp', packets, true)
  assert.deepEqual(
    [await agent.call('seen', 2), await agent.call('seen', 3)],
    [2 * packets, packets],
  )
})

test('a sockops program attached to a cgroup sees its connections', { skip }, async t => {
  const folder = '/sys/fs/cgroup'
  const path = existsSync(`${folder}/cgroup.controllers`) ? folder : `${folder}/unified`
  if (!existsSync(`${path}/cgroup.procs`)) return t.skip('no cgroup v2 hierarchy is mounted')
  const cgroup = mkdtempSync(`${path}/fovea-test-`)
  t.after(() => eventually('the cgroup is empty', () => removeFolder(cgroup)))
  const through = ['sh', '-c', `echo $$ > ${cgroup}/cgroup.procs && exec "$@"`, 'sh']
  const agent = await agentInNamespace(t, { through })
  await agent.call('open', ...object)
  const sockops = 3
  await agent.call('attach', 'probe_sockops', { kind: 'cgroup', path: cgroup, attachType: sockops })
  assert.equal(await agent.call('seen', 6), 0)
  await agent.call('connect')
  assert.ok((await agent.call('seen', 6)) >= 2, 'both ends of a connection')
  await agent.end()
})

function removeFolder(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch {
    return false
  }
}

test('a classic tracepoint is attached by its category and name', { skip }, async t => {
  const agent = await agentInNamespace(t, { through: ['unshare', '--mount'] })
  agent.run(
    'nsenter',
    `--mount=/proc/${agent.process.pid}/ns/mnt`,
    'mount',
    '-t',
    'tracefs',
    'tracefs',
    '/sys/kernel/tracing',
  )
  await agent.call('open', ...object)
  await agent.call('attach', 'probe_tracepoint', {
    kind: 'tracepoint',
    category: 'net',
    name: 'netif_receive_skb',
  })
  await agent.call('send', packets)
  assert.ok((await agent.call('seen', 6)) >= packets)
  await assert.rejects(
    agent.call('attach', 'probe_tracepoint', {
      kind: 'tracepoint',
      category: 'net',
      name: 'no_such',
    }),
    /cannot attach to tracepoint net\/no_such/,
  )
})

test('filters of other owners survive our attaching, detaching and cleaning', { skip }, async t => {
  const agent = await agentInNamespace(t, { clsact: true })
  const filters = () => agent.run('tc', 'filter', 'show', 'dev', 'lo', 'ingress')
  agent.run('tc', 'qdisc', 'add', 'dev', 'lo', 'clsact')
  // One shares our priority and kind, one even the range of our handles.
  const add = ['tc', 'filter', 'add', 'dev', 'lo', 'ingress', 'protocol', 'all']
  agent.run(...add, 'prio', '1', 'handle', '1', 'bpf', 'bytecode', '1,6 0 0 0,', 'flowid', '1:1')
  agent.run(
    ...add,
    'prio',
    '1',
    'handle',
    '0xf0ea0001',
    'bpf',
    'bytecode',
    '1,6 0 0 0,',
    'flowid',
    '1:1',
  )
  const before = filters()
  assert.match(before, /bpf.*handle 0x1 /)
  assert.match(before, /bpf.*handle 0xf0ea0001 /)
  await agent.call('open', ...object)
  await agent.call('attach', 'probe_packet', into)
  assert.match(filters(), /fovea:[0-9a-f]{16}:probe_packet direct-action/)
  await agent.call('send', packets)
  assert.equal(await agent.call('seen', 0), packets)
  await agent.call('detach')
  assert.equal(filters().replace(/ \(.*?\)|Sent .*/g, ''), before.replace(/ \(.*?\)|Sent .*/g, ''))
  assert.match(agent.run('tc', 'qdisc', 'show', 'dev', 'lo'), /clsact/, 'no qdisc is deleted')
})

test('a priority held by a filter of another kind is passed over', { skip }, async t => {
  const agent = await agentInNamespace(t, { clsact: true })
  agent.run('tc', 'qdisc', 'add', 'dev', 'lo', 'clsact')
  const add = ['tc', 'filter', 'add', 'dev', 'lo', 'ingress', 'protocol', 'all', 'prio', '1']
  agent.run(...add, 'u32', 'match', 'u32', '1', '0xffffffff', 'flowid', '1:1')
  await agent.call('open', ...object)
  await agent.call('attach', 'probe_packet', into)
  assert.match(agent.run('tc', 'filter', 'show', 'dev', 'lo', 'ingress'), /pref 2 bpf/)
  await agent.call('send', packets)
  assert.equal(await agent.call('seen', 0), packets)
})

test('a clsact filter left by kill -9 is cleaned at the next attach, a living one is not', {
  skip,
}, async t => {
  const holder = await agentInNamespace(t, { clsact: true })
  const filters = () => holder.run('tc', 'filter', 'show', 'dev', 'lo', 'ingress')
  const names = () => [...filters().matchAll(/fovea:\w+:(\w+)/g)].map(match => match[1])
  const through = ['nsenter', `--net=/proc/${holder.process.pid}/ns/net`]
  const victim = new Agent(t, { through, clsact: true })
  await victim.call('open', ...object)
  await victim.call('attach', 'probe_second', into)
  await holder.call('open', ...object)
  await holder.call('attach', 'probe_packet', into)
  assert.deepEqual(names().sort(), ['probe_packet', 'probe_second'], 'both live')
  await victim.end('SIGKILL')
  assert.deepEqual(names().sort(), ['probe_packet', 'probe_second'], 'a filter outlives its owner')
  const heir = new Agent(t, { through, clsact: true })
  await heir.call('open', ...object)
  await heir.call('attach', 'probe_packet', into)
  assert.deepEqual(names(), ['probe_packet', 'probe_packet'])
})

test('detaching after the link is gone is silent', { skip }, async t => {
  for (const clsact of [true, false]) {
    const agent = await agentInNamespace(t, { clsact })
    agent.run('ip', 'link', 'add', 'gone', 'type', 'veth', 'peer', 'name', 'peer')
    const ifindex = (await agent.call('links')).find(link => link.name === 'gone')!.ifindex
    await agent.call('open', ...object)
    await agent.call('attach', 'probe_packet', { kind: 'tc', ifindex, direction: 'egress' })
    agent.run('ip', 'link', 'delete', 'gone')
    await agent.call('detach')
    await assert.rejects(
      agent.call('attach', 'probe_packet', { kind: 'tc', ifindex, direction: 'egress' }),
      { message: `cannot attach probe_packet (tc, link ${ifindex}): the link is gone` },
    )
  }
})

for (const clsact of [false, true]) {
  const way = clsact || !hasTcx ? 'clsact' : 'tcx'
  test(`an attachment by ${way} knows when its interface was made anew`, { skip }, async t => {
    const agent = await agentInNamespace(t, { clsact })
    const add = 'link add name same index 77 type veth peer name peer'.split(' ')
    agent.run('ip', ...add)
    await agent.call('open', ...object)
    await agent.call('attach', 'probe_packet', { kind: 'tc', ifindex: 77, direction: 'ingress' })
    await agent.call('attach', 'probe_second', { kind: 'tc', ifindex: 77, direction: 'egress' })
    assert.deepEqual(await agent.call('isAttached'), [true, true])
    agent.run('ip', 'link', 'delete', 'same')
    agent.run('ip', ...add)
    assert.deepEqual(await agent.call('isAttached'), [false, false])
  })
}

test('a filter whose qdisc another owner deleted says so', { skip }, async t => {
  const agent = await agentInNamespace(t, { clsact: true })
  await agent.call('open', ...object)
  await agent.call('attach', 'probe_packet', into)
  await agent.call('watch')
  const before = await agent.call('changes')
  agent.run('tc', 'qdisc', 'delete', 'dev', 'lo', 'clsact')
  assert.deepEqual(await agent.call('isAttached'), [false])
  await eventually('the watch calls back', async () => (await agent.call('changes')) > before)
})

test('after kill -9 no link, program or map of ours is left', { skip }, async t => {
  const holder = await agentInNamespace(t)
  const agent = new Agent(t, { through: ['nsenter', `--net=/proc/${holder.process.pid}/ns/net`] })
  await agent.call('open', ...object)
  if (hasTcx) await agent.call('attach', 'probe_packet', into)
  await agent.call('attach', 'probe_tracing', { kind: 'tp_btf' })
  await agent.call('attach', 'probe_xdp', { kind: 'xdp', ifindex: loopback })
  const ids = await agent.call('ids')
  assert.ok(ids.some(one => one.kind === 'link') && ids.every(exists))
  await agent.end('SIGKILL')
  await eventually('the kernel frees all of it', () => !ids.some(exists))
})
