/**
 * The pipeline for people: on a terminal a small table that is drawn again in place, on a pipe
 * plain lines.
 *
 * It shows what the agent sees (totals, drops, the largest flows) and what the agent costs. It
 * never holds rows up: a batch is added to a few sums and is done, drawing happens on a timer.
 */
import type { Batch, Columns, ConfigOf, ConfigSpec, Host } from '../../core/index.ts'
import { defineExporter, PermanentError } from '../../core/index.ts'
import { Screen } from './screen.ts'
import { standardOutput, type Terminal } from './terminal.ts'
import { Traffic } from './traffic.ts'
import { type Agent, flowLines, summary, table } from './view.ts'

const CONFIG = {
  interval: {
    type: 'duration',
    default: '1s',
    minimum: '100ms',
    maximum: '1h',
    description: 'Time between two pictures or lines.',
  },
  top: {
    type: 'integer',
    default: 10,
    minimum: 0,
    maximum: 1000,
    description: 'Flows that are shown, the largest first.',
  },
  piped: {
    type: 'string',
    enum: ['summary', 'flows'],
    default: 'summary',
    description: 'What a pipe gets each interval: one line, or that and one for each top flow.',
  },
} as const satisfies ConfigSpec
type Config = ConfigOf<typeof CONFIG>

const NEEDS: readonly Columns[] = [{ packets: 'number', bytes: 'number' }, { drop_reason: 'text' }]
/** Log lines come in groups: one new picture for all of them. */
const REDRAW_MS = 100
/** Own CPU is a mean over this many intervals. */
const CPU_WINDOW = 4

export default defineExporter({
  summary: 'A live table of traffic, drops and own cost in the terminal; plain lines when piped',
  stability: 'beta',
  config: CONFIG,
  needs: () => NEEDS,
  open: (config, host) => new Console(config, host, standardOutput()),
})

/** The exporter over any terminal. */
export class Console {
  readonly #config: Config
  readonly #host: Host
  readonly #terminal: Terminal
  readonly #traffic: Traffic
  readonly #screen: Screen
  readonly #timer: NodeJS.Timeout
  readonly #colour = !process.env.NO_COLOR
  readonly #cpu: { ms: number; cpuUs: number }[] = []
  #redraw: NodeJS.Timeout | undefined
  #flowLines = 0
  #closed = false

  constructor(config: Config, host: Host, terminal: Terminal) {
    this.#config = config
    this.#host = host
    this.#terminal = terminal
    this.#traffic = new Traffic(config.interval, config.top, performance.now())
    this.#screen = new Screen(terminal, error => {
      host.count('write_failed', 1)
      host.log.warn('the console stopped', { error: error.message })
    })
    this.#screen.onDisturbed = () => this.#drawSoon()
    this.#measure()
    if (terminal.isTty) this.#draw()
    this.#timer = setInterval(() => this.#tick(), config.interval)
  }

  write(batch: Batch): void {
    if (this.#closed) throw new PermanentError('the console is closed')
    if (!this.#screen.gone) this.#traffic.add(batch, performance.now())
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      clearInterval(this.#timer)
      clearTimeout(this.#redraw)
      this.#tick()
    }
    await this.#screen.close()
  }

  #tick(): void {
    if (this.#screen.gone) return
    this.#traffic.tick(performance.now())
    this.#measure()
    if (this.#terminal.isTty) this.#draw()
    else this.#print()
  }

  #draw(): void {
    const rates = this.#traffic.rates()
    this.#flowLines = Math.max(this.#flowLines, rates.flows.length)
    const frame = { ...this.#terminal.size(), colour: this.#colour, flowLines: this.#flowLines }
    this.#screen.draw(table(this.#agent(rates.lost), rates, frame))
  }

  #print(): void {
    const rates = this.#traffic.rates()
    const now = Date.now()
    const lines = [summary(this.#agent(rates.lost), rates, now)]
    if (this.#config.piped === 'flows') lines.push(...flowLines(rates, now))
    if (!this.#screen.print(lines)) this.#host.count('lines_left_out', lines.length)
  }

  #drawSoon(): void {
    if (this.#closed || this.#redraw !== undefined) return
    this.#redraw = setTimeout(() => {
      this.#redraw = undefined
      this.#draw()
    }, REDRAW_MS)
  }

  #measure(): void {
    const { user, system } = process.cpuUsage()
    this.#cpu.push({ ms: performance.now(), cpuUs: user + system })
    if (this.#cpu.length > CPU_WINDOW) this.#cpu.shift()
  }

  #agent(lostBefore: number): Agent {
    const { agent } = this.#host
    const first = this.#cpu[0]
    const last = this.#cpu[this.#cpu.length - 1]
    let lost = lostBefore
    for (const { rows } of agent.ledger()) lost += (rows.failed ?? 0) + (rows.refused ?? 0)
    return {
      version: agent.version,
      hostName: agent.hostName,
      upMs: Date.now() - agent.startUs / 1000,
      cpu: last.ms > first.ms ? (last.cpuUs - first.cpuUs) / 1000 / (last.ms - first.ms) : 0,
      rssBytes: process.memoryUsage.rss(),
      lost,
    }
  }
}
