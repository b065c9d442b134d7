/**
 * Lines on a terminal or a pipe. On a terminal the last lines are drawn again in place; what others
 * write to the same terminal (the agent's log) goes above them, and stays.
 */
import type { Others, Terminal } from './terminal.ts'

const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
const END_OF_LINE = '\x1b[K'
const END_OF_SCREEN = '\x1b[J'
const WHOLE_SCREEN = '\x1b[2J\x1b[H'

/** Owned by one console. After the reader went away everything is a no-op. */
export class Screen {
  /** Called when the picture went and should be drawn again soon. */
  onDisturbed: () => void = () => {}
  readonly #terminal: Terminal
  readonly #failed: (error: NodeJS.ErrnoException) => void
  #others: Others | undefined
  #stopResize: (() => void) | undefined
  /** Lines of the picture above the cursor. */
  #drawn = 0
  #inFlight = false
  #gone = false
  #idle: (() => void) | undefined

  /** `failed` hears of the first error that is not simply a closed pipe. */
  constructor(terminal: Terminal, failed: (error: NodeJS.ErrnoException) => void) {
    this.#terminal = terminal
    this.#failed = failed
    if (!terminal.isTty) return
    this.#others = terminal.onOthersWriting(() => this.#stepAside())
    this.#stopResize = terminal.onResize(() => this.#startOver())
  }

  get gone(): boolean {
    return this.#gone
  }

  /** Draws the picture anew, unless the last one is still being taken. */
  draw(lines: readonly string[]): void {
    if (this.#inFlight || this.#gone) return
    const body = lines.map(line => `${line}${END_OF_LINE}\n`).join('')
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''
    this.#drawn = lines.length
    this.#write(`${HIDE_CURSOR}${up}\r${body}${END_OF_SCREEN}${SHOW_CURSOR}`)
  }

  /** Adds plain lines; false when the reader is behind and they were left out. */
  print(lines: readonly string[]): boolean {
    if (this.#gone || lines.length === 0) return true
    if (this.#inFlight) return false
    this.#write(`${lines.join('\n')}\n`)
    return true
  }

  /**
   * Waits for what is being written and lets the terminal go. The last picture stays. Safe twice.
   */
  async close(): Promise<void> {
    this.#stopResize?.()
    if (this.#inFlight) {
      await new Promise<void>(resolve => {
        this.#idle = resolve
      })
    }
    this.#others?.release()
  }

  #write(text: string): void {
    this.#inFlight = true
    this.#terminal.write(text, error => {
      this.#inFlight = false
      if (error && !this.#gone) {
        this.#gone = true
        if (error.code !== 'EPIPE') this.#failed(error)
      }
      this.#idle?.()
      this.#others?.resume()
    })
  }

  /** False while a frame is on its way: where the cursor is, is known only afterwards. */
  #stepAside(): boolean {
    if (this.#inFlight) return false
    if (this.#drawn === 0) return true
    this.#terminal.writeNow(`\x1b[${this.#drawn}A\r${END_OF_SCREEN}`)
    this.#drawn = 0
    this.onDisturbed()
    return true
  }

  /** Terminals differ in how they wrap old lines, so that their place is unknown after a resize. */
  #startOver(): void {
    if (this.#gone) return
    this.#terminal.writeNow(WHOLE_SCREEN)
    this.#drawn = 0
    this.onDisturbed()
  }
}
