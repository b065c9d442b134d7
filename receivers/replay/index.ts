/**
 * Plays a tape that `fovea run --record FILE` wrote: the recorded receivers run again, over the
 * answers that the kernel gave then. Everything behind them cannot tell the difference, so a whole
 * configuration can be tried, shown and tested without a kernel, without rights, on any machine.
 */
import { join } from 'node:path'
import type {
  Batch,
  Columns,
  ConfigOf,
  ConfigSpec,
  Host,
  Receiver,
  Tables,
} from '../../core/index.ts'
import { ConfigError, defineReceiver, openTape, root, type TapeReader } from '../../core/index.ts'
import { Player } from './player.ts'

const CONFIG = {
  path: {
    type: 'string',
    description: 'The tape; without it, a short trace of web traffic that is shipped with Fovea.',
  },
  speed: {
    type: 'string',
    enum: ['recorded', 'max'],
    default: 'recorded',
    description: 'In the time that it took, or as fast as the pipelines take it.',
  },
  stream: {
    type: 'string',
    description:
      'Id of the one recorded receiver to play, such as `flows`; without it, all of them.',
  },
} as const satisfies ConfigSpec
type Config = ConfigOf<typeof CONFIG>

export default defineReceiver({
  summary: 'Plays what was recorded by fovea run --record',
  stability: 'beta',
  config: CONFIG,
  emits: config => tablesOf(config, open(config)),

  async open(config, host) {
    const tape = open(config)
    if (!tape.complete) host.log.warn('the tape ends early; its last answer is missing')
    const players: Player[] = []
    try {
      for (const { id, type } of streamsOf(config, tape)) {
        const definition = await host.receiver(type)
        players.push(await Player.open(id, definition, tape, host, performance.now()))
      }
    } catch (error) {
      await Promise.all(players.map(player => player.close()))
      throw error
    }
    return new Replay(players, config, host)
  },
})

class Replay implements Receiver {
  readonly #players: readonly Player[]
  readonly #host: Host
  readonly #paced: boolean
  #startMs = Number.NaN

  constructor(players: readonly Player[], config: Config, host: Host) {
    this.#players = players
    this.#host = host
    this.#paced = config.speed === 'recorded'
  }

  /** The streams give in the order of their recorded times. */
  read(rowsMax: number): Batch | null {
    const nowMs = performance.now()
    if (Number.isNaN(this.#startMs)) this.#startMs = nowMs
    const untilMs = this.#paced ? nowMs - this.#startMs : Number.MAX_VALUE
    const playing = this.#players.filter(player => !player.done)
    playing.sort((a, b) => a.dueMs - b.dueMs)
    for (const player of playing) {
      const batch = player.read(rowsMax, untilMs, nowMs)
      if (batch !== null) return batch
      if (player.done && player.dueMs !== Number.POSITIVE_INFINITY) {
        this.#host.count('left_unplayed', 1)
        this.#host.log.warn('a part of the tape was not asked for', { stream: player.id })
      }
    }
    return null
  }

  ended(): boolean {
    return this.#players.every(player => player.done)
  }

  finish(): void {
    for (const player of this.#players) player.finish()
  }

  async close(): Promise<void> {
    await Promise.all(this.#players.map(player => player.close()))
  }
}

function open(config: Config): TapeReader {
  return openTape(config.path ?? join(root(), 'receivers/replay/traces/web_traffic.tape'))
}

function streamsOf(config: Config, tape: TapeReader): TapeReader['streams'] {
  if (config.stream === undefined) return tape.streams
  const found = tape.streams.filter(stream => stream.id === config.stream)
  if (found.length > 0) return found
  const ids = tape.streams.map(stream => stream.id).join(', ') || 'nothing'
  throw new ConfigError(`the tape has no stream "${config.stream}"; it holds ${ids}`)
}

function tablesOf(config: Config, tape: TapeReader): Tables {
  const tables: Record<string, Columns> = {}
  for (const { id, tables: own } of streamsOf(config, tape)) {
    for (const [name, columns] of Object.entries(own)) {
      if (tables[name] && !sameColumns(tables[name], columns)) {
        throw new ConfigError(
          `the streams differ in the columns of ${name} (seen in ${id}); choose one with "stream"`,
        )
      }
      tables[name] = columns
    }
  }
  return tables
}

function sameColumns(one: Columns, other: Columns): boolean {
  const names = Object.keys(one)
  return (
    names.length === Object.keys(other).length && names.every(name => one[name] === other[name])
  )
}
