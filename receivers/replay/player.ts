/**
 * One recorded receiver at play: the real receiver's code over the recorded answers, and the
 * question when its next answer is due.
 */
import type {
  Batch,
  Host,
  Receiver,
  ReceiverDefinition,
  Tape,
  TapeReader,
} from '../../core/index.ts'

/**
 * When answers are due and none is taken for this long, the rest of the stream is left: a receiver
 * of today may ask less than the one that was recorded.
 */
const STALL_MS = 2000

interface Answers {
  taken: number
  /** The agent stops in the middle of the tape: nothing more happened. */
  over: boolean
}

export class Player {
  readonly id: string
  /** True when the stream was played and the receiver gave its last row. */
  done = false
  readonly #tape: TapeReader
  readonly #receiver: Receiver
  readonly #answers: Answers
  #finished = false
  #takenBefore = 0
  #movedMs: number

  private constructor(
    id: string,
    tape: TapeReader,
    receiver: Receiver,
    answers: Answers,
    nowMs: number,
  ) {
    this.id = id
    this.#tape = tape
    this.#receiver = receiver
    this.#answers = answers
    this.#movedMs = nowMs
  }

  /** Opens the receiver that stream `id` was recorded from, as it was configured then. */
  static async open(
    id: string,
    definition: ReceiverDefinition,
    tape: TapeReader,
    host: Host,
    nowMs: number,
  ): Promise<Player> {
    const stream = tape.streams.find(candidate => candidate.id === id)!
    const answers: Answers = { taken: 0, over: false }
    const recorded = tape.stream(id)
    const counted: Tape = {
      mode: 'replay',
      append: () => {},
      next: key => {
        const answer = answers.over ? null : recorded.next(key)
        if (answer !== null) answers.taken++
        return answer
      },
    }
    const inner: Host = {
      id,
      log: host.log,
      count: (name, n) => host.count(name, n),
      meter: host.meter,
      signal: host.signal,
      asset: name => host.asset(`../${stream.type}/${name}`),
      lost: (cause, rows) => host.lost(cause, rows),
      agent: host.agent,
      tape: counted,
      receiver: type => host.receiver(type),
    }
    const receiver = await definition.open(stream.config as never, inner)
    return new Player(id, tape, receiver, answers, nowMs)
  }

  /** Milliseconds from the tape's start to the next answer; infinity when all were taken. */
  get dueMs(): number {
    return this.#tape.nextAtMs(this.id) ?? Number.POSITIVE_INFINITY
  }

  /**
   * The next batch of what is due at `dueMs`. Asks again while the receiver takes answers without
   * giving rows. At the end of the stream the receiver is told to finish, and is read to its last
   * row.
   */
  read(rowsMax: number, untilMs: number, nowMs: number): Batch | null {
    while (!this.done) {
      const before = this.#answers.taken
      const ended = this.dueMs === Number.POSITIVE_INFINITY || this.#stalled(untilMs, nowMs)
      if (ended) this.#finish()
      else if (!this.#finished && this.dueMs > untilMs) return null
      const batch = this.#receiver.read(rowsMax)
      if (batch !== null) return batch
      if (this.#answers.taken > before) continue
      this.done = this.#finished
      return null
    }
    return null
  }

  /** Ends here: what the receiver holds still comes out, the rest of the tape does not. */
  finish(): void {
    this.#answers.over = true
    this.#finish()
  }

  async close(): Promise<void> {
    this.done = true
    await this.#receiver.close()
  }

  #finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.#receiver.finish?.()
  }

  #stalled(untilMs: number, nowMs: number): boolean {
    if (this.#answers.taken !== this.#takenBefore || this.dueMs > untilMs) {
      this.#takenBefore = this.#answers.taken
      this.#movedMs = nowMs
    }
    return nowMs - this.#movedMs > STALL_MS
  }
}
