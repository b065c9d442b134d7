/**
 * Series as OTLP metrics: one request after the other, each below the size that a server takes.
 *
 * A point is its attributes, encoded when the series was born, and two times and a value beside
 * them. Which series the server has already acknowledged is noted by round, so that after a
 * failure only the rest goes.
 */
import type { MetricDefinition, SeriesView } from '../../core/index.ts'
import { grown } from '../arena.ts'
import { type SeriesEncoder, SeriesIndex, type SeriesOrder } from '../series_index.ts'
import { DeltaBook } from './delta.ts'
import { ENVELOPE_END, type Envelope } from './envelope.ts'
import { ProtoWriter, stringAttribute, varintLength } from './proto_writer.ts'

export type Temporality = 'cumulative' | 'delta'

const GAUGE = 0x2a
const SUM = 0x3a
const HISTOGRAM = 0x4a
/** Tag and length of a point, times and value of a number. */
const NUMBER_POINT = 40
const HISTOGRAM_POINT = 64

/** What is the same in every request, by metric. */
interface Head {
  /** Name, description, unit. */
  readonly text: Buffer
  readonly kind: typeof GAUGE | typeof SUM | typeof HISTOGRAM
  /** Temporality and monotony: behind the points. */
  readonly tail: Buffer
  /** Counts of things and bytes are integers to OTLP, everything else is a double. */
  readonly whole: boolean
  /** Packed `explicit_bounds`, tag included. */
  readonly bounds: Buffer
  readonly buckets: number
}

/** All requests that one dictionary becomes. */
export class MetricRequests {
  /** Points of the request that `next` returned last. */
  points = 0
  readonly #index: SeriesIndex
  readonly #envelope: Envelope
  readonly #writer: ProtoWriter
  readonly #sizeMax: number
  readonly #book: DeltaBook | undefined
  readonly #temporality: Temporality
  #heads: Head[] = []
  #metrics: SeriesView['metrics'] = []
  #round = 0
  #order: SeriesOrder
  #metric = 0
  #position = 0
  /** Round in which each series was last acknowledged. */
  #acknowledged = new Uint32Array(256)
  /** Series of the request that is under way. */
  #sent = new Uint32Array(256)

  constructor(
    view: SeriesView,
    envelope: Envelope,
    writer: ProtoWriter,
    options: { readonly sizeMax: number; readonly temporality: Temporality },
  ) {
    this.#envelope = envelope
    this.#writer = writer
    this.#sizeMax = options.sizeMax
    this.#temporality = options.temporality
    const book = options.temporality === 'delta' ? new DeltaBook(view) : undefined
    this.#book = book
    this.#index = new SeriesIndex(view, attributeEncoder(view), id => {
      this.#acknowledged[id] = 0
      book?.born(id)
    })
    this.#order = this.#index.order
  }

  /**
   * Begins at the first series. `again`: the same batch as before, whose acknowledged series are
   * left out.
   */
  begin(again: boolean): void {
    const { view } = this.#index
    if (!again) this.#round++
    if (view.idsEnd > this.#acknowledged.length) {
      this.#acknowledged = grown(this.#acknowledged, 2 * view.idsEnd)
    }
    this.#index.refresh()
    this.#order = this.#index.order
    if (this.#metrics !== view.metrics) {
      this.#metrics = view.metrics
      this.#heads = view.metrics.map(metric => head(metric, this.#temporality))
    }
    this.#metric = 0
    this.#position = 0
  }

  /**
   * The next request, or null when all series were in one. The bytes are valid until the next
   * call.
   */
  next(): Buffer | null {
    const writer = this.#writer
    this.points = 0
    let full = false
    for (; this.#metric < this.#heads.length && !full; ) {
      full = this.#someOf(this.#metric)
      if (!full) this.#metric++
    }
    if (this.points === 0) return null
    this.#envelope.end(writer)
    return writer.bytes.subarray(0, writer.at)
  }

  /** The server has the last request. */
  acknowledge(): void {
    for (let i = 0; i < this.points; i++) {
      this.#acknowledged[this.#sent[i]] = this.#round
      this.#book?.acknowledge(this.#sent[i])
    }
  }

  /**
   * The server refused the last request for good: not again in this round, but as growth in the
   * next.
   */
  giveUp(): void {
    for (let i = 0; i < this.points; i++) this.#acknowledged[this.#sent[i]] = this.#round
  }

  /** Writes points of a metric from where the last request ended. True when the request is full. */
  #someOf(metric: number): boolean {
    const { ids, starts } = this.#order
    const head = this.#heads[metric]
    const writer = this.#writer
    const end = starts[metric + 1]
    let opened = 0
    let data = 0
    let full = false
    for (this.#position = Math.max(this.#position, starts[metric]); this.#position < end; ) {
      const id = ids[this.#position]
      if (this.#skips(id, metric)) {
        this.#position++
        continue
      }
      const size = this.#index.arena.length(id) + pointSize(head)
      if (this.points > 0 && this.#overflows(size, opened ? 0 : head.text.length)) {
        full = true
        break
      }
      if (!opened) {
        if (this.points === 0) this.#envelope.begin(writer)
        writer.room(head.text.length + ENVELOPE_END)
        opened = writer.open(0x12)
        writer.raw(head.text)
        data = writer.open(head.kind)
      }
      writer.room(size + ENVELOPE_END)
      this.#point(head, id)
      this.#position++
    }
    if (opened) {
      writer.raw(head.tail)
      writer.close(data)
      writer.close(opened)
    }
    return full
  }

  #overflows(size: number, header: number): boolean {
    return this.#writer.at + size + header + ENVELOPE_END > this.#sizeMax
  }

  #skips(id: number, metric: number): boolean {
    if (this.#acknowledged[id] === this.#round) return true
    if (!this.#index.isCurrent(this.#order, id, metric)) return true
    return this.#book !== undefined && !this.#book.prepare(id, this.#heads[metric].kind === GAUGE)
  }

  #point(head: Head, id: number): void {
    if (this.points === this.#sent.length) this.#sent = grown(this.#sent, 2 * this.points)
    this.#sent[this.points++] = id
    if (head.kind === HISTOGRAM) this.#histogramPoint(head, id)
    else this.#numberPoint(head, id)
  }

  #times(id: number): void {
    const writer = this.#writer
    const { view } = this.#index
    writer.byte(0x11)
    writer.nanoseconds(this.#book ? this.#book.startUs(id) : view.startUs(id))
    writer.byte(0x19)
    writer.nanoseconds(view.timeUs(id))
  }

  #value(id: number, slot: number): number {
    return this.#book ? this.#book.value(id, slot) : this.#index.view.value(id, slot)
  }

  #numberPoint(head: Head, id: number): void {
    const writer = this.#writer
    const { arena } = this.#index
    writer.byte(0x0a)
    writer.varint(27 + arena.length(id))
    this.#times(id)
    const value = this.#value(id, 0)
    if (head.whole && Number.isSafeInteger(value)) {
      writer.byte(0x31)
      writer.fixed64(value)
    } else {
      writer.byte(0x21)
      writer.double(value)
    }
    writer.at = arena.copy(id, writer.bytes, writer.at)
  }

  #histogramPoint(head: Head, id: number): void {
    const writer = this.#writer
    const { arena } = this.#index
    const counts = 8 * head.buckets
    const packed = 1 + varintLength(counts) + counts
    writer.byte(0x0a)
    writer.varint(36 + packed + head.bounds.length + arena.length(id))
    this.#times(id)
    writer.byte(0x21)
    writer.fixed64(this.#value(id, 1))
    writer.byte(0x29)
    writer.double(this.#value(id, 0))
    writer.byte(0x32)
    writer.varint(counts)
    for (let bucket = 0; bucket < head.buckets; bucket++) {
      writer.fixed64(this.#value(id, 2 + bucket))
    }
    writer.raw(head.bounds)
    writer.at = arena.copy(id, writer.bytes, writer.at)
  }
}

function pointSize(head: Head): number {
  if (head.kind !== HISTOGRAM) return NUMBER_POINT
  return HISTOGRAM_POINT + 8 * head.buckets + head.bounds.length
}

function head(metric: MetricDefinition, temporality: Temporality): Head {
  const writer = new ProtoWriter(256)
  writer.string(0x0a, metric.name)
  if (metric.description) writer.string(0x12, metric.description)
  if (metric.unit) writer.string(0x1a, metric.unit)
  const text = writer.copy()
  writer.at = 0
  if (metric.bounds?.length) {
    writer.room(8 * metric.bounds.length + 11)
    writer.byte(0x3a)
    writer.varint(8 * metric.bounds.length)
    for (const bound of metric.bounds) writer.double(bound)
  }
  const adds = [0x10, temporality === 'delta' ? 1 : 2]
  return {
    text,
    kind: metric.type === 'gauge' ? GAUGE : metric.type === 'counter' ? SUM : HISTOGRAM,
    tail: Buffer.from(
      metric.type === 'gauge' ? [] : metric.type === 'counter' ? [...adds, 0x18, 1] : adds,
    ),
    whole: metric.unit === 'By' || /^\{[^}]*\}$/.test(metric.unit),
    bounds: writer.copy(),
    buckets: (metric.bounds?.length ?? 0) + 1,
  }
}

/** Labels as attributes, tag included: field 7 of a number's point, field 9 of a histogram's. */
function attributeEncoder(view: SeriesView): SeriesEncoder {
  const writer = new ProtoWriter(1024)
  return (id, metric) => {
    const { type, labels } = view.metrics[metric]
    const tag = type === 'histogram' ? 0x4a : 0x3a
    writer.at = 0
    for (let i = 0; i < labels.length; i++) {
      stringAttribute(writer, tag, labels[i], view.label(id, i))
    }
    return { bytes: writer.bytes, length: writer.at }
  }
}
