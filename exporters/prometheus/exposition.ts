/**
 * One scrape as text, a chunk at a time.
 *
 * Everything but the values was encoded when a series was born, so a line is one copy and a few
 * digits. The scrape needs one 64 KiB buffer however many series there are.
 */
import type { SeriesOrder } from '../series_index.ts'
import type { Family, Format, Member } from './families.ts'
import { writeNumber } from './numbers.ts'

export const CHUNK_BYTES = 64 << 10
const NEWLINE = 10
const CLOSE = Buffer.from('} ')
const SUM = Buffer.from('_sum')
const COUNT = Buffer.from('_count')
const BUCKET = Buffer.from('_bucket')
const CREATED = Buffer.from('_created')
/** More than suffix, braces, comma, `le`, number and newline of any line. */
const LINE_EXTRA = 64

export interface ExpositionOptions {
  readonly format: Format
  /** OpenMetrics only: a `_created` line for each counter and histogram. */
  readonly created: boolean
  /** Labels of `target_info`, ready between the braces. */
  readonly target: string
}

/**
 * Writes series of one member from place `from` of the order on, until the chunk is full.
 * Returns the place of the first that did not fit, or `end`.
 */
type Write = (member: Member, order: SeriesOrder, from: number, end: number) => number

export class Exposition {
  readonly #families: readonly Family[]
  readonly #options: ExpositionOptions
  readonly #created: boolean
  #out: Buffer
  #at = 0

  /** `out` is the buffer to use; it is replaced only if one series needs more. */
  constructor(families: readonly Family[], options: ExpositionOptions, out: Buffer) {
    this.#families = families
    this.#options = options
    this.#created = options.created && options.format === 'openmetrics'
    this.#out = out
  }

  /**
   * The whole text in order. A chunk must have been sent before the next one is asked for: it is
   * overwritten.
   */
  *chunks(): Generator<Buffer, void, void> {
    yield* this.#text(targetInfo(this.#options))
    for (const family of this.#families) yield* this.#family(family)
    if (this.#options.format === 'openmetrics') yield* this.#text('# EOF\n')
    if (this.#at > 0) yield this.#out.subarray(0, this.#at)
  }

  *#family(family: Family): Generator<Buffer, void, void> {
    const write = this.#writerOf(family)
    let headless = true
    for (const member of family.members) {
      // While a chunk is on its way series may die and ids change hands: this order stays.
      const order = member.index.order
      const end = order.starts[member.metric + 1] ?? 0
      let i = order.starts[member.metric] ?? 0
      if (headless && i < end) {
        headless = false
        yield* this.#text(header(family, this.#options.format))
      }
      while (i < end) {
        i = write.call(this, member, order, i, end)
        if (i < end) yield* this.#room(this.#sizeOf(member, order.ids[i]))
      }
    }
  }

  *#text(text: string): Generator<Buffer, void, void> {
    yield* this.#room(3 * text.length)
    this.#at += this.#out.write(text, this.#at, 'utf8')
  }

  /** Ends the chunk if `need` more bytes do not fit. */
  *#room(need: number): Generator<Buffer, void, void> {
    if (this.#at + need <= this.#out.length) return
    if (this.#at > 0) yield this.#out.subarray(0, this.#at)
    this.#at = 0
    if (need > this.#out.length) this.#out = Buffer.allocUnsafeSlow(2 * need)
  }

  /** At most this many bytes are written for a series. */
  #sizeOf({ index, sample, bounds }: Member, id: number): number {
    const length = index.arena.length(id) + LINE_EXTRA
    const lines = bounds[this.#options.format].length
    return lines > 0 ? (lines + 3) * (sample.length + length) : this.#created ? 2 * length : length
  }

  #writerOf({ type }: Family): Write {
    if (type === 'histogram') return this.#histograms
    return type === 'counter' && this.#created ? this.#createdCounters : this.#singles
  }

  /**
   * Counters and gauges. No generator, and short enough that all it calls is compiled into it: else
   * each value would be an object on the heap.
   */
  #singles({ index, metric }: Member, order: SeriesOrder, from: number, end: number): number {
    const { arena, view } = index
    const out = this.#out
    let at = this.#at
    let i = from
    for (; i < end; i++) {
      const id = order.ids[i]
      if (!index.isCurrent(order, id, metric)) continue
      if (at + arena.length(id) + LINE_EXTRA > out.length) break
      at = arena.copy(id, out, at)
      at = writeNumber(out, at, view.value(id, 0))
      out[at++] = NEWLINE
    }
    this.#at = at
    return i
  }

  #createdCounters(member: Member, order: SeriesOrder, from: number, end: number): number {
    const { index, metric, sample } = member
    const name = sample.length - '_total'.length
    let i = from
    for (; i < end; i++) {
      const id = order.ids[i]
      if (!index.isCurrent(order, id, metric)) continue
      if (this.#at + this.#sizeOf(member, id) > this.#out.length) break
      this.#line(index.arena.copy(id, this.#out, this.#at), index.view.value(id, 0))
      let at = this.#at + sample.copy(this.#out, this.#at, 0, name)
      at += CREATED.copy(this.#out, at)
      at = index.arena.copy(id, this.#out, at, sample.length)
      this.#line(at, index.view.startUs(id) / 1e6)
    }
    return i
  }

  #histograms(member: Member, order: SeriesOrder, from: number, end: number): number {
    const { index, metric } = member
    let i = from
    for (; i < end; i++) {
      const id = order.ids[i]
      if (!index.isCurrent(order, id, metric)) continue
      if (this.#at + this.#sizeOf(member, id) > this.#out.length) break
      this.#histogram(member, id)
    }
    return i
  }

  #histogram(member: Member, id: number): void {
    const { view } = member.index
    const bounds = member.bounds[this.#options.format]
    let cumulative = 0
    for (let i = 0; i < bounds.length; i++) {
      cumulative += view.value(id, 2 + i)
      const at = this.#open(member, id, BUCKET, true)
      this.#line(at + bounds[i].copy(this.#out, at), cumulative)
    }
    this.#line(this.#open(member, id, SUM, false), view.value(id, 0))
    this.#line(this.#open(member, id, COUNT, false), view.value(id, 1))
    if (!this.#created) return
    this.#line(this.#open(member, id, CREATED, false), view.startUs(id) / 1e6)
  }

  /** Name and labels of one histogram line; with `more`, left open for `le`. Returns the end. */
  #open(member: Member, id: number, suffix: Buffer, more: boolean): number {
    const out = this.#out
    const { arena } = member.index
    let at = this.#at + member.sample.copy(out, this.#at)
    at += suffix.copy(out, at)
    const labelled = arena.length(id) > 0
    if (labelled || more) out[at++] = 123
    at = arena.copy(id, out, at)
    if (more) {
      if (labelled) out[at++] = 44
    } else if (labelled) {
      at += CLOSE.copy(out, at)
    } else {
      out[at++] = 32
    }
    return at
  }

  #line(at: number, value: number): void {
    const end = writeNumber(this.#out, at, value)
    this.#out[end] = NEWLINE
    this.#at = end + 1
  }
}

function header(family: Family, format: Format): string {
  const name = family.type === 'counter' && format === 'text' ? `${family.name}_total` : family.name
  const help = escapeHelp(family.help || 'No description.', format)
  const unit = family.unit && format === 'openmetrics' ? `# UNIT ${name} ${family.unit}\n` : ''
  return `# HELP ${name} ${help}\n# TYPE ${name} ${family.type}\n${unit}`
}

function targetInfo({ format, target }: ExpositionOptions): string {
  const [name, type] = format === 'openmetrics' ? ['target', 'info'] : ['target_info', 'gauge']
  const head = `# HELP ${name} What sends these metrics.\n# TYPE ${name} ${type}\n`
  return `${head}target_info{${target}} 1\n`
}

/** OpenMetrics also escapes the double quote. */
function escapeHelp(text: string, format: Format): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return format === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped
}
