/**
 * The measurements of `agent.ts`, run in a private network namespace: cold start, memory, CPU at
 * rest and under load, and how soon a new pod is observed. Prints its figures as JSON.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pod, run } from '../harness/netns.ts'
import { firstAnswerMs, MeasuredProcess } from './agent_process.ts'
import type { Figure } from './figure.ts'
import { PacketSource } from './packets.ts'

const METRICS = 'http://127.0.0.1:9464/metrics'
const FLAGS = ['--max-semi-space-size=1']
/** What any Node program that answers a scrape and ticks costs: the same flags, nothing of ours. */
const BARE = `require('node:http').createServer((q, s) => s.end('')).listen(9464, '127.0.0.1')
  setInterval(() => {}, 200)`

const LOADS: readonly (readonly [config: string, rate: number, limit: number])[] = [
  ['configs/agent.yaml', 100_000, 1.5],
  ['configs/agent.yaml', 1_000_000, 1.5],
  ['configs/metrics_only.yaml', 1_000_000, 1],
]

const short = process.argv.includes('--short')
const folder = mkdtempSync(join(tmpdir(), 'fovea-bench-'))
const output = join(folder, 'output')

async function main(): Promise<Figure[]> {
  run('ip link set lo up')
  const pod = new Pod('bench', { address: '10.99.0.2' })
  try {
    return [...(await start()), ...(await rest(pod)), ...(await load(pod))]
  } finally {
    pod.close()
    rmSync(folder, { recursive: true })
  }
}

function startAgent(config = 'configs/agent.yaml'): MeasuredProcess {
  const set =
    config === 'configs/agent.yaml' ? [`exporters.flow_log.path=${folder}/flows.jsonl`] : []
  const words = ['core/bin/fovea', 'run', '--config', config, ...set.flatMap(x => ['--set', x])]
  return new MeasuredProcess(words, output)
}

function startBare(): MeasuredProcess {
  return new MeasuredProcess([process.execPath, ...FLAGS, '-e', BARE], output)
}

/** The best of a few: the first one also reads the disk. */
async function start(): Promise<Figure[]> {
  const best = async (begin: () => MeasuredProcess) => {
    const times: number[] = []
    for (let round = 0; round < (short ? 1 : 4); round++) {
      const measured = begin()
      times.push(await firstAnswerMs(measured, METRICS))
      await measured.stop()
    }
    return Math.min(...times)
  }
  const [bare, agent] = [await best(startBare), await best(() => startAgent())]
  const note = 'reference: a bare Node with a web server'
  const common = { value: agent, unit: 'ms', ratio: agent / bare, limit: 1000, note }
  return [{ name: 'start to first scrape', ...common }]
}

async function rest(pod: Pod): Promise<Figure[]> {
  const bare = startBare()
  await firstAnswerMs(bare, METRICS)
  await sleep(short ? 500 : 5000)
  const bareMemory = bare.memory()
  const bareIdle = await bare.cpuPercent(() => sleep(short ? 2000 : 10_000))
  await bare.stop()
  const agent = startAgent()
  await firstAnswerMs(agent, METRICS)
  // V8 collects what starting left behind once, after about 30 s.
  await sleep(short ? 2000 : 40_000)
  const memory = agent.memory()
  const idle = await agent.cpuPercent(() => sleep(short ? 3000 : 30_000))
  // Last, because a new link brings packets of its own.
  const attach = await attachTime(agent, pod)
  await agent.stop()
  const [ours, its] = [memory, bareMemory].map(({ anonymous }) => anonymous.toFixed(1))
  const anonymous = `anonymous ${ours} MiB, there ${its}`
  return [
    {
      name: 'memory, default configuration',
      value: memory.rss,
      unit: 'MiB',
      ratio: memory.rss / bareMemory.rss,
      limit: 88,
      note: `reference: a bare Node with a web server; ${anonymous}`,
    },
    {
      name: 'CPU at rest',
      value: idle,
      unit: '% of a core',
      ratio: idle / bareIdle,
      limit: 0.3,
      note: 'from 40 to 70 s after the start; reference: a bare Node with a timer of 200 ms',
    },
    {
      name: 'new veth to attached',
      value: attach,
      unit: 'ms',
      limit: 50,
      note: 'median, from the start of the `ip` command that makes it',
    },
  ]
}

/** The agent's own CPU while packets of 10,000 flows come in, by rate and configuration. */
async function load(pod: Pod): Promise<Figure[]> {
  run(`ethtool -K ${pod.link} gro on`)
  const source = await PacketSource.open(ifindexOf(pod.link), 10_000)
  const figures: Figure[] = []
  try {
    for (const [config, rate, limit] of LOADS) {
      const agent = startAgent(config)
      await firstAnswerMs(agent, METRICS)
      // Until V8 has compiled what is hot.
      await source.sendAt(rate, short ? 1000 : 20_000)
      let sent = 0
      const durationMs = short ? 2000 : 20_000
      const value = await agent.cpuPercent(async () => {
        sent = await source.sendAt(rate, durationMs)
      })
      const name = `CPU at ${(rate / 1000).toLocaleString('en')}k packets/s, ${config}`
      const kilo = Math.round(sent / durationMs).toLocaleString('en')
      const memory = `memory then ${agent.memory().rss.toFixed(1)} MiB`
      const note = `${kilo}k packets/s sent, 10,000 flows; ${memory}`
      figures.push({ name, value, unit: '% of a core', limit, note })
      await agent.stop()
    }
  } finally {
    source.close()
  }
  return figures
}

function ifindexOf(link: string): number {
  return Number(readFileSync(`/proc/self/net/dev_snmp6/${link}`, 'utf8').split(/\s+/)[1])
}

/** Median over some veths made one after another in a namespace that is there already. */
async function attachTime(agent: MeasuredProcess, pod: Pod): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < (short ? 3 : 25); round++) {
    const link = `veth-new${round}`
    const startMs = performance.now()
    run(`ip link add ${link} up type veth peer name new${round} netns ${pod.name}`)
    const ifindex = ifindexOf(link)
    while (!agent.isAttachedTo(ifindex)) {
      if (performance.now() - startMs > 5000) throw new Error(`${link} was never attached`)
      await sleep(1)
    }
    times.push(performance.now() - startMs)
    run(`ip link del ${link}`)
  }
  return times.sort((a, b) => a - b)[times.length >> 1]!
}

console.log(JSON.stringify(await main()))
