/**
 * The files that were rotated away: their names, how many are kept, and their compression, which
 * streams in the background so that the writer never waits for it. Names carry the time of
 * rotation, so that no file is ever renamed twice and their order is their name's.
 */
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip, createZstdCompress } from 'node:zlib'

export type Compression = 'none' | 'gzip' | 'zstd'
const SUFFIX = { none: '', gzip: '.gz', zstd: '.zst' } as const
const UNFINISHED = '.part'

export interface RotatedOptions {
  readonly keep: number
  readonly compression: Compression
  /** Called with what went wrong in the background; the file then stays as it is. */
  readonly failed: (error: Error) => void
}

/** Looks after the rotated siblings of one log file. */
export class RotatedFiles {
  readonly #folder: string
  readonly #stem: string
  readonly #extension: string
  readonly #name: RegExp
  readonly #options: RotatedOptions
  readonly #stop = new AbortController()
  #work: Promise<void> = Promise.resolve()

  constructor(path: string, options: RotatedOptions) {
    this.#folder = dirname(path)
    this.#extension = extname(path)
    this.#stem = basename(path, this.#extension)
    this.#options = options
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z`
    const ending = String.raw`(\.gz|\.zst)?(\.part)?`
    this.#name = new RegExp(
      `^${RegExp.escape(this.#stem)}-${time}${RegExp.escape(this.#extension)}${ending}$`,
    )
  }

  /** A free name for a file that is rotated now. */
  nextPath(nowMs: number): string {
    for (let ms = nowMs; ; ms++) {
      const time = new Date(ms).toISOString().replaceAll(':', '-')
      const path = join(this.#folder, `${this.#stem}-${time}${this.#extension}`)
      if (Object.values(SUFFIX).every(suffix => !existsSync(path + suffix))) return path
    }
  }

  /** Begins to delete what is too old and to compress the rest; does not wait for it. */
  tidy(): void {
    this.#work = this.#work.then(() => this.#tidy()).catch(error => this.#fail(error))
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    await this.#work
  }

  /** Stops compressing; the next start finds the file and takes it up again. Safe twice. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#work
  }

  async #tidy(): Promise<void> {
    const { keep, compression } = this.#options
    const names = (await readdir(this.#folder)).filter(name => this.#name.test(name)).sort()
    const whole = names.filter(name => !name.endsWith(UNFINISHED))
    const kept = keep === 0 ? [] : whole.slice(-keep)
    for (const name of names) {
      if (!kept.includes(name)) await rm(join(this.#folder, name), { force: true })
    }
    if (compression === 'none') return
    for (const name of kept) {
      if (name.endsWith(this.#extension) && !this.#stop.signal.aborted) {
        await this.#compress(join(this.#folder, name), compression)
      }
    }
  }

  async #compress(path: string, compression: 'gzip' | 'zstd'): Promise<void> {
    const target = path + SUFFIX[compression]
    const part = target + UNFINISHED
    try {
      await pipeline(
        createReadStream(path),
        compression === 'gzip' ? createGzip() : createZstdCompress(),
        // flush: the original goes away, so the disk must have its successor.
        createWriteStream(part, { mode: 0o640, flush: true }),
        { signal: this.#stop.signal },
      )
      await rename(part, target)
      await rm(path)
    } catch (error) {
      await rm(part, { force: true })
      if (!this.#stop.signal.aborted) this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#options.failed(error instanceof Error ? error : new Error(String(error)))
  }
}
