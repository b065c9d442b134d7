/** What a machine lacks, made to lack it, in a process and a mount namespace of its own. */
import assert from 'node:assert/strict'
import { realpathSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { missingCapabilities } from '../../native/rights.ts'
import { Agent, needsRoot, run } from './help.ts'

const skip = needsRoot

/** A shell that covers paths before it becomes the agent; nothing outside the agent sees it. */
function covered(...commands: string[]): string[] {
  return ['unshare', '--mount', 'sh', '-c', [...commands, 'exec "$@"'].join(' && '), 'sh']
}

async function problemOf(t: TestContext, through: string[], environment = {}) {
  const agent = new Agent(t, { through, environment })
  const problem = await agent.call('problem')
  const opened = await agent.call('open', 'probe.bpf.o', { programs: ['probe_second'] }).then(
    () => null,
    ({ message, remedy }: { message: string; remedy: string }) => ({ message, remedy }),
  )
  return { problem, opened }
}

test('root on this machine lacks nothing', { skip }, async t => {
  const { problem, opened } = await problemOf(t, [])
  assert.deepEqual([problem, opened], [null, null])
})

test('a user without rights is told which are missing and how to grant them', { skip }, async t => {
  const through = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const { problem, opened } = await problemOf(t, through)
  const missing = 'CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN are missing'
  const remedy = `Run as root, or: setcap cap_bpf,cap_perfmon,cap_net_admin=ep ${process.execPath}`
  assert.deepEqual(problem, { message: `cannot load BPF programs: ${missing}`, remedy })
  assert.deepEqual(opened, { message: `cannot load probe.bpf.o: ${missing}`, remedy })
})

test('one missing right is named alone', { skip }, async t => {
  const through = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin', '--']
  const { problem } = await problemOf(t, through)
  assert.equal(problem?.message, 'cannot load BPF programs: CAP_NET_ADMIN is missing')
})

test('a machine without libbpf gets a sentence', { skip }, async t => {
  const addon = process.env.FOVEA_ADDON ?? 'build'
  if (addon.includes('prebuilt')) return t.skip('this addon carries libbpf')
  const [, path] = /libbpf\.so\.1 .*=> (\S+)/.exec(run('ldconfig', '-p'))!
  const { problem, opened } = await problemOf(
    t,
    covered(`mount --bind /dev/null ${realpathSync(path!)}`),
  )
  assert.match(problem!.message, /^cannot load BPF programs: libbpf\.so\.1 is missing \(/)
  assert.match(problem!.remedy, /apt-get install libbpf1/)
  assert.deepEqual(opened, problem)
})

test('a kernel without BTF gets a sentence', { skip }, async t => {
  const { problem, opened } = await problemOf(t, covered('mount -t tmpfs none /sys/kernel/btf'))
  assert.match(problem!.message, /this kernel has no BTF/)
  assert.deepEqual(opened, problem)
})

test('an addon that is not there gets a sentence', async t => {
  const agent = new Agent(t, { environment: { FOVEA_ADDON: '/nowhere/fovea.node' } })
  const problem = await agent.call('problem')
  assert.match(problem!.message, /^cannot load the native addon \/nowhere\/fovea\.node: /)
  assert.equal(problem!.remedy, 'Build it for this machine: node native/build.ts addon')
})

test('CAP_SYS_ADMIN stands for the BPF rights, as on kernels before 5.8', () => {
  const status = (bits: bigint) => `CapPrm:\t0\nCapEff:\t${bits.toString(16).padStart(16, '0')}\n`
  assert.deepEqual(missingCapabilities(status(1n << 21n)), ['CAP_NET_ADMIN'])
  assert.deepEqual(missingCapabilities(status((1n << 12n) | (1n << 39n))), ['CAP_PERFMON'])
  assert.deepEqual(missingCapabilities(status(0n)), ['CAP_BPF', 'CAP_PERFMON', 'CAP_NET_ADMIN'])
})
