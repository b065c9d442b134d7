/**
 * The measurements of `kernel.ts`: test runs of the flow program beside a bare and an empty one,
 * live frames with and without the receiver, and reads of a full table. Prints figures as JSON.
 */
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Receiver } from '../../core/index.ts'
import { compile } from '../../native/build_bpf.ts'
import { type BpfObject, type Kernel, openKernel } from '../../native/index.ts'
import flows from '../../receivers/flows/index.ts'
import { testHost } from '../harness/host.ts'
import { Pod, run } from '../harness/netns.ts'
import { ethernet, ipv4, skbContext, tcp } from '../harness/packets.ts'
import { root } from '../harness/tree.ts'
import type { Figure } from './figure.ts'
import { PacketSource } from './packets.ts'

const short = process.argv.includes('--short')
const rounds = short ? 5 : 15
const flowsFolder = join(root, 'receivers/flows')
/** A TCP segment with timestamps of 500 bytes, as most packets of a connection are. */
const segment = ethernet(
  0x0800,
  ipv4({ protocol: 6 }, tcp({ flags: 16, options: 12, payload: 434 })),
)

async function main(): Promise<Figure[]> {
  run('ip link set lo up')
  const pod = new Pod('bench', { address: '10.99.0.2', isQuiet: true })
  try {
    run(`ethtool -K ${pod.link} gro on`)
    const [nic] = JSON.parse(run(`ip -j link show dev ${pod.link}`)) as [Nic]
    const { kernel, objects } = openPrograms()
    const figures = [...perPacket(objects), ...(await liveFrames(nic, objects.bare!))]
    kernel.close()
    return [...figures, ...(await reading(nic))]
  } finally {
    pod.close()
  }
}

interface Nic {
  readonly ifindex: number
  /** Its Ethernet address. */
  readonly address: string
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

/** The programs to compare, loaded. */
function openPrograms(): { readonly kernel: Kernel; readonly objects: Record<string, BpfObject> } {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-bench-'))
  const asset = (name: string) => join(name === 'flows.bpf.o' ? flowsFolder : folder, name)
  const kernel = openKernel({ id: 'bench', asset })
  try {
    for (const name of ['bare', 'empty']) {
      const bytes = compile(root, join(root, `test/bench/programs/${name}.bpf.c`))
      writeFileSync(join(folder, `${name}.bpf.o`), bytes)
    }
    const flowObject = kernel.openObject('flows.bpf.o', { settings: { has_coarse_clock: 1 } })
    const objects = {
      empty: kernel.openObject('empty.bpf.o'),
      bare: kernel.openObject('bare.bpf.o'),
      flows_from_endpoint: flowObject,
      flows_to_endpoint: flowObject,
    }
    return { kernel, objects }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Programs in turn, so that a slow moment of the machine meets all of them. */
function perPacket(objects: Record<string, BpfObject>): Figure[] {
  const times = new Map<string, number[]>(Object.keys(objects).map(name => [name, []]))
  const input = { data: segment, context: skbContext({}), repeat: short ? 100_000 : 300_000 }
  for (let round = 0; round < rounds; round++) {
    for (const [name, object] of Object.entries(objects)) {
      times.get(name)!.push(object.testRun(name, input).durationNs)
    }
  }
  const net = (name: string) => median(times.get(name)!) - median(times.get('empty')!)
  const note = 'net of an empty program; reference: parse, hash, two atomics, the same clock'
  return ['flows_from_endpoint', 'flows_to_endpoint'].flatMap(name => [
    {
      name,
      value: net(name),
      unit: 'ns a packet',
      ratio: net(name) / net('bare'),
      goal: 1.15,
      note,
    },
    { name: `${name}, absolute`, value: net(name), unit: 'ns a packet', limit: 100 },
  ])
}

async function openFlows(interval: number): Promise<Receiver> {
  const config = {
    interfaces: ['auto'],
    exclude_interfaces: [],
    interval,
    idle_timeout: 60_000,
    ended_timeout: 5000,
    table_size: 65_536,
  }
  return flows.open(config as never, testHost({ id: 'flows', folder: flowsFolder }))
}

/**
 * Datagrams that the stack takes as far as a socket's queue, which is full: with nothing attached,
 * with the bare program and with the receiver, in turn.
 */
async function liveFrames({ ifindex, address }: Nic, bare: BpfObject): Promise<Figure[]> {
  const figures: Figure[] = []
  const socket = createSocket('udp4')
  await new Promise<void>(resolve => socket.bind(53, '10.99.0.1', resolve))
  for (const count of [1, 10_000]) {
    const source = await PacketSource.open(ifindex, count, address)
    const times: Record<'none' | 'bare' | 'flows', number[]> = { none: [], bare: [], flows: [] }
    for (let round = 0; round < rounds; round++) {
      times.none.push(nsPerFrame(source))
      const attachment = bare.attach('bare', { kind: 'tc', ifindex, direction: 'ingress' })
      times.bare.push(nsPerFrame(source))
      attachment.close()
      const receiver = await openFlows(1000)
      times.flows.push(nsPerFrame(source))
      await receiver.close()
    }
    source.close()
    const kept = (attached: number[]) => ({
      value: 1000 / median(attached),
      unit: 'Mpps',
      ratio: median(times.none) / median(attached),
    })
    const ns = Math.round(median(times.none))
    const note = `reference: nothing attached, ${ns} ns a datagram up to a socket`
    figures.push(
      {
        name: `live frames kept, flows: ${count}`,
        ...kept(times.flows),
        goal: 0.88,
        atLeast: true,
        note,
      },
      { name: `live frames kept by the bare program, flows: ${count}`, ...kept(times.bare) },
    )
  }
  socket.close()
  return figures
}

function nsPerFrame(source: PacketSource): number {
  const frames = short ? 100_000 : 300_000
  source.send(20_000)
  const start = process.hrtime.bigint()
  source.send(frames)
  return Number(process.hrtime.bigint() - start) / frames
}

/** Sweeps of 50,000 flows that all grew, and sweeps in which none did. */
async function reading({ ifindex }: Nic): Promise<Figure[]> {
  const entries = 50_000
  const source = await PacketSource.open(ifindex, entries)
  const receiver = await openFlows(100)
  const sweeps: Record<'grown' | 'still', Sweep[]> = { grown: [], still: [] }
  for (let round = 0; round < (short ? 3 : 9); round++) {
    source.send(entries)
    sweeps.grown.push(await sweep(receiver))
    sweeps.still.push(await sweep(receiver))
  }
  source.close()
  await receiver.close()
  const rows = median(sweeps.grown.map(one => one.rows))
  if (rows !== entries) throw new Error(`${rows} rows of ${entries} flows`)
  const nsEach = (which: readonly Sweep[]) => (median(which.map(one => one.ms)) * 1e6) / entries
  const longest = Math.max(...[...sweeps.grown, ...sweeps.still].map(one => one.longestMs))
  return [
    { name: 'reading a flow that grew', value: nsEach(sweeps.grown), unit: 'ns' },
    { name: 'reading a flow that did not', value: nsEach(sweeps.still), unit: 'ns' },
    { name: 'longest hold of the event loop, 50,000 flows', value: longest, unit: 'ms', limit: 20 },
  ]
}

interface Sweep {
  readonly ms: number
  readonly longestMs: number
  readonly rows: number
}

/** What this thread has used of a CPU: other processes of the machine are not in it. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** One sweep from when it is due: reads until one has nothing to do, which takes microseconds. */
async function sweep(receiver: Receiver): Promise<Sweep> {
  await sleep(150)
  let [ms, longestMs, rows] = [0, 0, 0]
  for (;;) {
    const start = threadMs()
    const batch = receiver.read(4096)
    const took = threadMs() - start
    if (!batch && took < 0.1) return { ms, longestMs, rows }
    ms += took
    longestMs = Math.max(longestMs, took)
    rows += batch?.length ?? 0
  }
}

console.log(JSON.stringify(await main()))
