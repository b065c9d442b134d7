/**
 * One growing file of lines that survives what happens to log files: a process killed in the middle
 * of a line, a full disk, a log rotator that renames the file away. Only whole lines count as
 * written, and a file that holds a torn one is cut back to its last newline before anything is
 * added.
 */

import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

const MODE = 0o640
const NEWLINE = 0x0a
/** How our lines begin; a tail that cannot be one of them is not ours to cut. */
const LINE_START = '{"time":"'
const BLOCK = 64 << 10

/** An append that failed; `bytes` of whole lines are in the file nevertheless. */
export class AppendError extends Error {
  override readonly name = 'AppendError'
  readonly code: string
  readonly bytes: number
  constructor(cause: unknown, bytes: number) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    this.bytes = bytes
  }
}

/** Not a file that grows: a pipe without a reader would hold a write, and the stop, for ever. */
export class NotAFileError extends Error {
  override readonly name = 'NotAFileError'
  readonly code = 'NOT_A_FILE'
  constructor(path: string) {
    super(`${path} is a pipe, a socket or a device`)
  }
}

/** Calls back when something happened that an operator may wish to know. */
export type Notice = (event: 'half_line_removed' | 'reopened', fields: { bytes: number }) => void

/** An append-only file at `path`. Calls must not overlap: the exporter awaits each. */
export class LogFile {
  readonly path: string
  /** Bytes in the file, as far as we know. */
  size = 0
  /** When the file was begun, Unix milliseconds. */
  bornMs = 0
  readonly #notice: Notice
  #handle: FileHandle | undefined
  #inode = 0

  constructor(path: string, notice: Notice) {
    this.path = path
    this.#notice = notice
  }

  /**
   * Opens the file if need be, and again if `path` names another file than the one that is open.
   */
  async follow(): Promise<void> {
    if (this.#handle !== undefined) {
      const there = await stat(this.path).catch(() => undefined)
      if (there?.ino === this.#inode) {
        if (there.size < this.size) this.bornMs = Date.now()
        this.size = there.size
        return
      }
      await this.close()
      await this.#open()
      this.#notice('reopened', { bytes: this.size })
    } else {
      await this.#open()
    }
  }

  /**
   * Appends whole lines; resolves when the kernel has all of them.
   * @throws AppendError, after cutting off what was written of the line that did not fit.
   */
  async append(lines: Uint8Array): Promise<void> {
    if (this.#handle === undefined) await this.#open()
    let at = 0
    try {
      while (at < lines.length) {
        const { bytesWritten } = await this.#handle!.write(lines, at, lines.length - at)
        at += bytesWritten
      }
      this.size += at
    } catch (error) {
      const whole = at === 0 ? 0 : lines.lastIndexOf(NEWLINE, at - 1) + 1
      this.size += whole
      if (at > whole) await this.#repair().catch(() => this.close())
      throw new AppendError(error, whole)
    }
  }

  /** Asks the disk to keep what was written. */
  async sync(): Promise<void> {
    await this.#handle?.datasync()
  }

  /** Moves the file to `target` and begins a new one. */
  async moveTo(target: string): Promise<void> {
    await this.close()
    await rename(this.path, target)
    await this.#open()
  }

  /** Safe twice; a later `follow` or `append` opens the file again. */
  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  async #open(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true })
    // a+: the last line must be read to see whether it is whole.
    this.#handle = await open(this.path, 'a+', MODE)
    try {
      const opened = await this.#handle.stat()
      if (!opened.isFile()) throw new NotAFileError(this.path)
      this.#inode = opened.ino
      this.bornMs = opened.size === 0 ? Date.now() : opened.birthtimeMs || opened.ctimeMs
      const removed = await this.#repair()
      if (removed > 0) this.#notice('half_line_removed', { bytes: removed })
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Makes the file end in a newline again; returns the bytes that were cut off. */
  async #repair(): Promise<number> {
    const handle = this.#handle!
    const { size } = await handle.stat()
    const end = await endOfLines(handle, size)
    this.size = end
    if (end === size) return 0
    const tail = Buffer.alloc(LINE_START.length)
    const { bytesRead } = await handle.read(tail, 0, tail.length, end)
    const begins = tail.toString('latin1', 0, bytesRead)
    if (LINE_START.startsWith(begins) || begins.startsWith('\0')) {
      await handle.truncate(end)
      return size - end
    }
    await handle.write('\n')
    this.size = size + 1
    return 0
  }
}

/** Position after the last newline. */
async function endOfLines(handle: FileHandle, size: number): Promise<number> {
  const block = Buffer.alloc(Math.min(BLOCK, size))
  for (let to = size; to > 0; ) {
    const from = Math.max(0, to - block.length)
    const { bytesRead } = await handle.read(block, 0, to - from, from)
    const at = block.subarray(0, bytesRead).lastIndexOf(NEWLINE)
    if (at >= 0) return from + at + 1
    to = from
  }
  return 0
}
