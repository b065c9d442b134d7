/**
 * The agent as a process to be measured: started as a user starts it, watched through /proc.
 *
 * CPU is the scheduler's own sum of nanoseconds over all threads, so the worker is in it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../harness/tree.ts'

export interface Memory {
  /** MiB. */
  readonly rss: number
  /** The part of it that no other process can share or the kernel drop. */
  readonly anonymous: number
}

export class MeasuredProcess {
  readonly #child: ChildProcess
  /** When it was started, milliseconds of `performance.now()`. */
  readonly startMs = performance.now()

  /** `output` takes what it prints; the process dies with this one. */
  constructor(words: readonly string[], output: string) {
    const file = openSync(output, 'a')
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', ...words], {
      cwd: root,
      stdio: ['ignore', file, file],
    })
    closeSync(file)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Nanoseconds on a CPU so far. */
  cpuNs(): number {
    const tasks = `/proc/${this.pid}/task`
    const times = readdirSync(tasks).map(task =>
      Number(readFileSync(join(tasks, task, 'schedstat'), 'utf8').split(' ')[0]),
    )
    return times.reduce((sum, time) => sum + time, 0)
  }

  /** Share of one core in percent, over the time that `during` takes. */
  async cpuPercent(during: () => Promise<void>): Promise<number> {
    const [startNs, startMs] = [this.cpuNs(), performance.now()]
    await during()
    return ((this.cpuNs() - startNs) / 1e6 / (performance.now() - startMs)) * 100
  }

  memory(): Memory {
    const text = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    const mib = (name: string) =>
      Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1]) / 1024
    return { rss: mib('VmRSS'), anonymous: mib('RssAnon') }
  }

  /** True when it holds a link of a BPF program on this network link. */
  isAttachedTo(ifindex: number): boolean {
    const folder = `/proc/${this.pid}/fdinfo`
    return readdirSync(folder).some(fd => {
      try {
        return new RegExp(`^ifindex:\\s*${ifindex}$`, 'm').test(
          readFileSync(join(folder, fd), 'utf8'),
        )
      } catch {
        // Closed since the folder was listed.
        return false
      }
    })
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }
}

/** Milliseconds from the start of a process to its first answer at a URL. */
export async function firstAnswerMs(process: MeasuredProcess, url: string): Promise<number> {
  for (const endMs = performance.now() + 20_000; performance.now() < endMs; ) {
    try {
      const answer = await fetch(url)
      await answer.text()
      if (answer.ok) return performance.now() - process.startMs
    } catch {
      // Not listening yet.
    }
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  throw new Error(`no answer from ${url} within 20 s`)
}
