/**
 * Where the console writes: a terminal whose last lines it draws again, or a pipe that takes lines.
 *
 * Nothing is left to restore: no alternate screen, no scrolling region, and the cursor is hidden
 * within one write only, so that even `kill -9` leaves a usable terminal. A reader that does not
 * read (Ctrl-S, a paused `less`) stalls one write in the thread pool and never the agent: frames
 * that come meanwhile are left out.
 */
import { write, writeSync } from 'node:fs'
import { isatty } from 'node:tty'

/** The far end, as little as drawing needs. */
export interface Terminal {
  readonly isTty: boolean
  /** Columns and rows now. */
  size(): { width: number; height: number }
  /** Writes bytes in order; calls back once they are taken or never will be. */
  write(text: string, done: (error?: NodeJS.ErrnoException) => void): void
  /** Writes at once; only for a few bytes to a terminal. Never throws. */
  writeNow(text: string): void
  /** Calls `before` ahead of every write of others to the same screen; until `release`. */
  onOthersWriting(before: () => boolean): Others
  onResize(callback: () => void): () => void
}

/** The hold on what others write. A write that `before` answered with false waits for `resume`. */
export interface Others {
  resume(): void
  release(): void
}

const STDOUT = 1
const STDERR = 2
const AGAIN_MS = 50
/** More than this waits for nothing: a terminal that takes no frames must not eat memory. */
const HELD_MAX = 1000

/** Standard output. A `dumb` terminal counts as a pipe: it cannot move its cursor. */
export function standardOutput(): Terminal {
  const isTty = isatty(STDOUT) && process.env.TERM !== 'dumb'
  return {
    isTty,
    size: () => ({ width: process.stdout.columns || 80, height: process.stdout.rows || 24 }),
    write: (text, done) => writeAll(Buffer.from(text), done),
    writeNow: text => {
      try {
        writeSync(STDOUT, text)
      } catch {
        // The next frame meets the same error and reports it.
      }
    },
    onOthersWriting: before => (isatty(STDERR) ? wrapStderr(before) : NOBODY),
    onResize: callback => {
      process.stdout.on('resize', callback)
      return () => process.stdout.off('resize', callback)
    },
  }
}

/**
 * By descriptor and in the thread pool, because `process.stdout.write` blocks the event loop on
 * pipes and terminals.
 */
function writeAll(bytes: Buffer, done: (error?: NodeJS.ErrnoException) => void): void {
  write(STDOUT, bytes, 0, bytes.length, null, (error, written) => {
    if (error?.code === 'EAGAIN') setTimeout(() => writeAll(bytes, done), AGAIN_MS).unref()
    else if (error) done(error)
    else if (written < bytes.length) writeAll(bytes.subarray(written), done)
    else done()
  })
}

const NOBODY: Others = { resume: () => {}, release: () => {} }

/** Log lines go to stderr, and would tear the table if it did not step aside first. */
function wrapStderr(before: () => boolean): Others {
  const { stderr } = process
  const original = stderr.write
  const held: unknown[][] = []
  const pass = (call: unknown[]): boolean => Reflect.apply(original, stderr, call)
  const wrapped = function (this: unknown, ...call: unknown[]): boolean {
    const waits = held.length > 0 || !before()
    if (!waits || held.length >= HELD_MAX) return pass(call)
    held.push(call)
    return true
  } as typeof stderr.write
  const release = (): void => {
    if (stderr.write === wrapped) stderr.write = original
    process.off('exit', release)
    for (const call of held.splice(0)) pass(call)
  }
  stderr.write = wrapped
  process.on('exit', release)
  return {
    resume: () => {
      while (held.length > 0 && before()) pass(held.shift()!)
    },
    release,
  }
}
