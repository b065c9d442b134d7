/**
 * What the tests of `native/` share: hosts, a tape in memory, processes in namespaces of their own.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { release } from 'node:os'
import { createInterface, type Interface } from 'node:readline'
import type { TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { KernelHost, KernelTape } from '../../native/index.ts'
import type { Calls } from './agent.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const probePath = fileURLToPath(new URL('probe/probe.bpf.o', import.meta.url))
/** All programs of the probe but the one that no kernel takes. */
export const goodPrograms = [
  ...['probe_packet', 'probe_second', 'probe_xdp', 'probe_socket', 'probe_tracing', 'probe_raw'],
  ...['probe_tracepoint', 'probe_sockops', 'probe_iterator'],
]

const [major = 0, minor = 0] = release().split('.').map(Number)
/** TCX links came with Linux 6.6. */
export const hasTcx = major > 6 || (major === 6 && minor >= 6)
/** XDP live frames came with Linux 5.18. */
export const hasLiveFrames = major > 5 || (major === 5 && minor >= 18)

/** For the `skip` of a test: false for root, else the reason. */
export const needsRoot = process.getuid?.() === 0 ? false : 'needs root: it loads BPF programs'

export function hostOf(tape?: KernelTape): KernelHost {
  const asset = (name: string) => fileURLToPath(new URL(`probe/${name}`, import.meta.url))
  return tape ? { id: 'test', asset, tape } : { id: 'test', asset }
}

/** A tape in memory: written through `recorder`, read through each `player()` from its start. */
export class MemoryTape {
  readonly queues = new Map<string, Uint8Array[]>()

  readonly recorder: KernelTape = {
    mode: 'record',
    append: (key, bytes) => {
      const queue = this.queues.get(key) ?? []
      queue.push(bytes)
      this.queues.set(key, queue)
    },
    next: () => null,
  }

  player(): KernelTape {
    const queues = new Map([...this.queues].map(([key, queue]) => [key, [...queue]]))
    return { mode: 'replay', append() {}, next: key => queues.get(key)?.shift() ?? null }
  }
}

interface AgentOptions {
  /** Words put before node: `unshare -n`, `setpriv ...`. */
  readonly through?: readonly string[]
  readonly clsact?: boolean
  readonly environment?: Readonly<Record<string, string>>
}

type Answer = { value: unknown } | { error: { message: string; type: string; remedy: string } }

/** The other end of `agent.ts`. */
export class Agent {
  readonly process: ChildProcessWithoutNullStreams
  readonly #lines: Interface
  readonly #answers: AsyncIterator<string>

  /** Ends at the latest with the test `t`. */
  constructor(
    t: TestContext,
    { through = [], clsact = false, environment = {} }: AgentOptions = {},
  ) {
    const file = fileURLToPath(new URL('agent.ts', import.meta.url))
    const words = [...through, process.execPath, file, ...(clsact ? ['--clsact'] : [])]
    this.process = spawn(words[0]!, words.slice(1), { env: { ...process.env, ...environment } })
    this.process.stderr.pipe(process.stderr)
    this.#lines = createInterface({ input: this.process.stdout })
    this.#answers = this.#lines[Symbol.asyncIterator]()
    t.after(() => this.end())
  }

  /**
   * Runs one call in the other process. @throws Error with the message and remedy it threw there.
   */
  async call<K extends keyof Calls>(
    name: K,
    ...words: Parameters<Calls[K]>
  ): Promise<Awaited<ReturnType<Calls[K]>>> {
    this.process.stdin.write(`${JSON.stringify([name, ...words])}\n`)
    const { value: line, done } = await this.#answers.next()
    if (done) {
      await this.#over()
      const { signalCode, exitCode } = this.process
      throw new Error(`the agent ended by ${signalCode ?? `exit code ${exitCode}`}`)
    }
    const answer = JSON.parse(line) as Answer
    if ('value' in answer) return answer.value as Awaited<ReturnType<Calls[K]>>
    throw Object.assign(new Error(answer.error.message), answer.error)
  }

  /** Runs a command in the agent's network namespace. */
  run(...words: string[]): string {
    return run('nsenter', `--net=/proc/${this.process.pid}/ns/net`, ...words)
  }

  /** Ends it: by its own clean-up, or as the kernel's out-of-memory killer would. */
  async end(signal?: 'SIGKILL'): Promise<void> {
    if (signal) this.process.kill(signal)
    else this.process.stdin.end()
    await this.#over()
  }

  async #over(): Promise<void> {
    const { exitCode, signalCode } = this.process
    if (exitCode === null && signalCode === null) await once(this.process, 'exit')
  }
}

/** An agent alone in a new network namespace whose loopback is up. */
export async function agentInNamespace(t: TestContext, options: AgentOptions = {}): Promise<Agent> {
  const through = ['unshare', '--net', ...(options.through ?? [])]
  const agent = new Agent(t, { ...options, through })
  await agent.call('changes')
  agent.run('ip', 'link', 'set', 'lo', 'up')
  return agent
}

export function run(command: string, ...words: string[]): string {
  return execFileSync(command, words, { encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 28 })
}

/** Waits until `condition` holds. @throws Error with `what` when it does not within ten seconds. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`did not happen: ${what}`)
    await wait(20)
  }
}

/** True while the kernel has an object of this kind and id. */
export function exists({ kind, id }: { kind: string; id: number }): boolean {
  try {
    run('bpftool', kind, 'show', 'id', `${id}`)
    return true
  } catch {
    return false
  }
}
