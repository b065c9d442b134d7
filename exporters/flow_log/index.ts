/**
 * Rows as JSON lines in a file: the record that every log shipper, `jq` and `grep` can read.
 *
 * The file is rotated by size and age, its predecessors are compressed in the background. A full
 * disk is a retry, not a crash, and what was written before it is not written twice.
 */
import { resolve } from 'node:path'
import type { Batch, Columns, ConfigOf, ConfigSpec, Host } from '../../core/index.ts'
import {
  defineExporter,
  EnvironmentError,
  PermanentError,
  RetryableError,
} from '../../core/index.ts'
import { RowEncoder } from './encode.ts'
import { AppendError, LogFile } from './file.ts'
import { RotatedFiles } from './rotated.ts'

const CONFIG = {
  path: {
    type: 'string',
    required: true,
    description: 'The file; missing folders are made.',
  },
  omit_empty: {
    type: 'boolean',
    default: true,
    description:
      'Leave out columns that are zero or empty in a row; time, tuple and counts always stay.',
  },
  fsync: {
    type: 'string',
    enum: ['never', 'rotate', 'always'],
    default: 'rotate',
    description:
      'When the disk is asked to keep what was written: never, at rotation, or after every batch.',
  },
  rotate: {
    type: 'group',
    description: 'When a new file is begun, and what becomes of the old ones.',
    properties: {
      size: {
        type: 'size',
        default: '64MiB',
        description: 'A file is rotated before it would grow beyond this; 0 means never.',
      },
      age: {
        type: 'duration',
        default: '0s',
        description: 'A file older than this is rotated with the next write; 0 means never.',
      },
      keep: {
        type: 'integer',
        minimum: 0,
        default: 8,
        description: 'Rotated files that stay; older ones are deleted.',
      },
      compression: {
        type: 'string',
        enum: ['none', 'gzip', 'zstd'],
        default: 'none',
        description: 'How rotated files are compressed, in the background.',
      },
    },
  },
} as const satisfies ConfigSpec

/** Every table with a time but `series`, whose rows say nothing without their dictionary. */
const NEEDS: readonly Columns[] = [
  { time_us: 'number', source_address: 'address' },
  { time_us: 'number', metric: 'text' },
  { time_us: 'number', interface: 'u32' },
  { time_us: 'number', event: 'text' },
]
const NEWLINE = 0x0a
/** A rotation that failed is tried again after this, so that a read-only folder costs no write. */
const ROTATE_AGAIN_MS = 60e3

export default defineExporter({
  summary: 'Rows as JSON lines in a rotated file',
  stability: 'beta',
  config: CONFIG,
  needs: () => NEEDS,

  async open(config, host) {
    const log = new FlowLog(config, host)
    await log.open()
    return {
      write: (batch, context) => log.write(batch, context.signal),
      close: () => log.close(),
    }
  },
})

class FlowLog {
  readonly #config: ConfigOf<typeof CONFIG>
  readonly #host: Host
  readonly #path: string
  readonly #file: LogFile
  readonly #rotated: RotatedFiles
  readonly #encoder: RowEncoder
  /** Where to go on when core brings a batch again of which a part was written. */
  #resume: { batch: Batch; row: number } | undefined
  #rotateAfterMs = 0
  #failing = false
  #closed = false
  #last: Promise<void> = Promise.resolve()

  constructor(config: ConfigOf<typeof CONFIG>, host: Host) {
    this.#config = config
    this.#host = host
    this.#encoder = new RowEncoder(config.omit_empty)
    this.#path = resolve(config.path)
    this.#file = new LogFile(this.#path, (event, { bytes }) => {
      host.count(event, 1)
      if (event === 'reopened') host.log.info('the file was renamed or removed; began it anew')
      else host.log.warn('removed a half-written last line', { path: this.#path, bytes })
    })
    this.#rotated = new RotatedFiles(this.#path, {
      keep: config.rotate.keep,
      compression: config.rotate.compression,
      failed: error => {
        host.count('tidy_failed', 1)
        host.log.warn('cannot tidy rotated files', { error: error.message })
      },
    })
  }

  async open(): Promise<void> {
    try {
      await this.#file.follow()
    } catch (error) {
      this.#explain(error as NodeJS.ErrnoException)
    }
    this.#rotated.tidy()
  }

  /** Calls that overlap are put in a row: one write is in flight at a time. */
  write(batch: Batch, signal: AbortSignal): Promise<void> {
    if (this.#closed) return Promise.reject(new PermanentError('the flow log is closed'))
    const run = this.#last.then(() => this.#append(batch, signal))
    this.#last = run.catch(() => {})
    return run
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#last
    if (this.#config.fsync !== 'never') await this.#file.sync().catch(() => {})
    await this.#file.close()
    await this.#rotated.close()
  }

  async #append(batch: Batch, signal: AbortSignal): Promise<void> {
    const encoder = this.#encoder
    encoder.begin(batch, this.#resume?.batch === batch ? this.#resume.row : 0)
    try {
      await this.#file.follow()
      this.#resume = { batch, row: encoder.row }
      while (encoder.encode(this.#config.rotate.size || undefined)) {
        if (signal.aborted) throw new Error('the deadline passed')
        await this.#rotateWhenDue(encoder.bytes.length)
        await this.#file.append(encoder.bytes)
        this.#resume.row = encoder.row
      }
      if (this.#config.fsync === 'always') await this.#file.sync()
    } catch (error) {
      throw this.#failure(error)
    }
    this.#resume = undefined
    if (this.#failing) this.#host.log.info('writing again', { path: this.#path })
    this.#failing = false
  }

  /** Remembers how far the batch came, counts, and makes it an error that core retries. */
  #failure(error: unknown): RetryableError {
    const { code, message } = error as NodeJS.ErrnoException
    if (error instanceof AppendError && this.#resume !== undefined) {
      const lines = this.#encoder.bytes.subarray(0, error.bytes)
      for (const byte of lines) if (byte === NEWLINE) this.#resume.row++
    }
    this.#host.count(code === 'ENOSPC' || code === 'EDQUOT' ? 'disk_full' : 'write_failed', 1)
    if (!this.#failing) this.#host.log.error('cannot write, will try again', { error: message })
    this.#failing = true
    return new RetryableError(message, undefined, { cause: error })
  }

  async #rotateWhenDue(bytes: number): Promise<void> {
    const file = this.#file
    const { size, age } = this.#config.rotate
    const now = Date.now()
    const tooLarge = size > 0 && file.size + bytes > size
    const tooOld = age > 0 && now - file.bornMs > age
    if (file.size === 0 || !(tooLarge || tooOld) || now < this.#rotateAfterMs) return
    if (this.#config.fsync !== 'never') await file.sync()
    try {
      await file.moveTo(this.#rotated.nextPath(now))
    } catch (error) {
      this.#rotateAfterMs = now + ROTATE_AGAIN_MS
      this.#host.count('rotate_failed', 1)
      this.#host.log.warn('cannot rotate', { error: (error as Error).message })
      return
    }
    this.#host.count('rotated', 1)
    this.#rotated.tidy()
  }

  /**
   * At start, what only the operator can mend is an error; what may pass by itself is retried with
   * the first batch.
   */
  #explain(error: NodeJS.ErrnoException): void {
    const path = this.#path
    const remedies: Record<string, string> = {
      EACCES: `let this user write there: chown or chmod the folder of ${path}`,
      EPERM: `let this user write there: chown or chmod the folder of ${path}`,
      EROFS: 'choose a path on a file system that is mounted for writing',
      EISDIR: 'name a file, not a folder',
      NOT_A_FILE: 'name a file: a pipe or a device cannot be rotated or repaired',
      ENXIO: 'name a file: a pipe or a device cannot be rotated or repaired',
      ENOTDIR: 'a part of the path is a file; choose another path',
      EEXIST: 'a part of the path is a file; choose another path',
    }
    const remedy = remedies[error.code ?? '']
    if (remedy !== undefined) {
      throw new EnvironmentError(`cannot open ${path}: ${error.message}`, remedy)
    }
    this.#failure(error)
  }
}
