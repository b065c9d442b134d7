/**
 * One scrape as text, a chunk at a time.
 *
 * Everything but the values was encoded when a series was born, so a line is one copy and a few
 * digits. The scrape needs one 64 KiB buffer however many series there are.
 */
import type { Family, Format, Member } from './families.ts'
import { NUMBER_BYTES_MAX, writeNumber } from './numbers.ts'

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
    if (this.#at > 0) yield this.#flush(0)
  }

  *#family(family: Family): Generator<Buffer, void, void> {
    const head = header(family, this.#options.format)
    let headless = true
    for (const member of family.members) {
      const { index, metric } = member
      const order = index.order
      const end = order.starts[metric + 1] ?? 0
      for (let i = order.starts[metric] ?? 0; i < end; i++) {
        const id = order.ids[i]
        if (!index.isCurrent(order, id, metric)) continue
        if (headless) {
          headless = false
          yield* this.#text(head)
        }
        const size = this.#sizeOf(member, family, id)
        if (this.#at + size > this.#out.length) {
          yield this.#flush(size)
          // While the chunk was on its way the series may have died and its id been given away.
          if (!index.isCurrent(order, id, metric)) continue
          if (this.#sizeOf(member, family, id) > this.#out.length) continue
        }
        if (family.type === 'histogram') this.#histogram(member, id)
        else this.#single(member, family, id)
      }
    }
  }

  *#text(text: string): Generator<Buffer, void, void> {
    const size = 3 * text.length
    if (this.#at + size > this.#out.length) yield this.#flush(size)
    this.#at += this.#out.write(text, this.#at, 'utf8')
  }

  /** Ends the chunk and makes room for `need` bytes in the next one. */
  #flush(need: number): Buffer {
    const chunk = this.#out.subarray(0, this.#at)
    this.#at = 0
    if (need > this.#out.length) this.#out = Buffer.allocUnsafeSlow(2 * need)
    return chunk
  }

  /** At most this many bytes are written for a series. */
  #sizeOf(member: Member, family: Family, id: number): number {
    const length = member.index.arena.length(id) + LINE_EXTRA
    if (family.type !== 'histogram') return this.#created ? 2 * length : length
    const bounds = member.bounds[this.#options.format]
    return (bounds.length + 3) * (member.sample.length + length + NUMBER_BYTES_MAX)
  }

  #single(member: Member, family: Family, id: number): void {
    const { view, arena } = member.index
    let at = arena.copy(id, this.#out, this.#at)
    at = writeNumber(this.#out, at, view.value(id, 0))
    this.#out[at++] = NEWLINE
    if (this.#created && family.type === 'counter') {
      at += member.sample.copy(this.#out, at, 0, member.sample.length - '_total'.length)
      at += CREATED.copy(this.#out, at)
      at = arena.copy(id, this.#out, at, member.sample.length)
      at = writeNumber(this.#out, at, view.startUs(id) / 1e6)
      this.#out[at++] = NEWLINE
    }
    this.#at = at
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
    const sum = this.#open(member, id, SUM, false)
    this.#line(sum, view.value(id, 0))
    const count = this.#open(member, id, COUNT, false)
    this.#line(count, view.value(id, 1))
    if (!this.#created) return
    const created = this.#open(member, id, CREATED, false)
    this.#line(created, view.startUs(id) / 1e6)
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
