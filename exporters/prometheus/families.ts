/**
 * From the metrics of any number of dictionaries to the families that Prometheus sees.
 *
 * A family appears once in a scrape, so metrics of one name are merged. Two metrics of one name
 * but different types cannot be: the first keeps the name, the other is skipped, counted and
 * named in the log.
 */
import type { MetricDefinition, SeriesView } from '../../core/index.ts'
import { labelGroups, prometheusName } from '../names.ts'
import { type SeriesEncoder, SeriesIndex } from '../series_index.ts'
import { canonicalText, numberText } from './numbers.ts'

export type Format = 'text' | 'openmetrics'

export interface Family {
  /** Without `_total`. */
  readonly name: string
  readonly type: MetricDefinition['type']
  readonly unit: string
  help: string
  readonly members: Member[]
}

/** One metric of one dictionary. */
export interface Member {
  readonly index: SeriesIndex
  readonly metric: number
  /** Sample name of a counter or gauge; family name of a histogram. */
  readonly sample: Buffer
  /** Histogram: `le="0.5"} ` of each bucket, by format. */
  readonly bounds: Readonly<Record<Format, readonly Buffer[]>>
}

/**
 * Labels that are the same on every series: resource attributes that the configuration asks for.
 */
export type ConstantLabels = readonly (readonly [name: string, value: string])[]

export class Families {
  /** Sorted by name, so that two scrapes have one order. */
  list: readonly Family[] = []
  readonly #constant: ConstantLabels
  readonly #onConflict: (name: string, kept: string, skipped: string) => void
  readonly #onTwins: (name: string) => void
  /** Families whose twins were told. */
  readonly #twins = new Set<string>()
  readonly #sources = new Map<number, { views: readonly SeriesView[]; index: SeriesIndex }>()
  #metrics: readonly (readonly MetricDefinition[])[] = []

  constructor(
    constant: ConstantLabels,
    onConflict: (name: string, kept: string, skipped: string) => void,
    onTwins: (name: string) => void,
  ) {
    this.#constant = constant
    this.#onConflict = onConflict
    this.#onTwins = onTwins
  }

  /**
   * Remembers a dictionary for good. When several pipelines bring the same one, a series is
   * written once, whichever it came by.
   */
  add(view: SeriesView): void {
    const known = this.#sources.get(view.dictionary)?.views ?? []
    if (known.includes(view)) return
    const views = [...known, view]
    // One more level of calls costs a third of a scrape: only those pay it who need it.
    const whole = views.length === 1 ? view : new UnionView(views)
    const index = new SeriesIndex(whole, labelEncoder(whole, this.#constant))
    this.#sources.set(view.dictionary, { views, index })
    this.#metrics = []
  }

  /** Takes in births, deaths and new metrics. */
  refresh(): void {
    const indexes = Array.from(this.#sources.values(), ({ index }) => index)
    for (const index of indexes) index.refresh()
    const metrics = indexes.map(({ view }) => view.metrics)
    const known = this.#metrics
    if (metrics.length === known.length && metrics.every((list, i) => list === known[i])) return
    this.#metrics = metrics
    this.list = this.#merge(indexes)
  }

  /**
   * Tells once of each family in which series of two dictionaries have the same labels: Prometheus
   * keeps one of them. Costs a string a series, in families of several dictionaries only.
   */
  findTwins(): void {
    for (const { name, members } of this.list) {
      if (this.#twins.has(name) || members.every(({ index }) => index === members[0].index))
        continue
      if (!haveTwins(members)) continue
      this.#twins.add(name)
      this.#onTwins(name)
    }
  }

  #merge(indexes: readonly SeriesIndex[]): Family[] {
    const families = new Map<string, Family>()
    const taken = new Map<string, string>([['target_info', 'info']])
    for (const index of indexes) {
      for (const [metric, definition] of index.view.metrics.entries()) {
        const { family: name, unit } = prometheusName(definition)
        let family = families.get(name)
        if (!family || family.type !== definition.type) {
          const names = sampleNames(name, definition.type)
          const clash = names.find(sample => taken.has(sample))
          if (clash) {
            this.#onConflict(definition.name, taken.get(clash) ?? '', definition.type)
            continue
          }
          for (const sample of names) taken.set(sample, definition.type)
          family = { name, type: definition.type, unit, help: '', members: [] }
          families.set(name, family)
        }
        family.help ||= definition.description
        family.members.push(member(index, metric, definition, name))
      }
    }
    return [...families.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }
}

function haveTwins(members: readonly Member[]): boolean {
  const lines = new Set<string>()
  for (const { index, metric } of members) {
    const { ids, starts } = index.order
    for (let i = starts[metric]; i < starts[metric + 1]; i++) {
      const bytes = Buffer.alloc(index.arena.length(ids[i]))
      index.arena.copy(ids[i], bytes, 0)
      const line = bytes.toString('latin1')
      if (lines.has(line)) return true
      lines.add(line)
    }
  }
  return false
}

function member(
  index: SeriesIndex,
  metric: number,
  definition: MetricDefinition,
  family: string,
): Member {
  const bounds = definition.type === 'histogram' ? [...(definition.bounds ?? []), Infinity] : []
  return {
    index,
    metric,
    sample: Buffer.from(definition.type === 'counter' ? `${family}_total` : family),
    bounds: {
      text: bounds.map(bound => Buffer.from(`le="${numberText(bound)}"} `)),
      openmetrics: bounds.map(bound => Buffer.from(`le="${canonicalText(bound)}"} `)),
    },
  }
}

/** Every name that the samples of a family may carry, in either format. */
function sampleNames(family: string, type: MetricDefinition['type']): string[] {
  if (type === 'counter') return [family, `${family}_total`, `${family}_created`]
  if (type === 'gauge') return [family]
  return ['', '_bucket', '_sum', '_count', '_created'].map(suffix => family + suffix)
}

/**
 * What is written of a series in every scrape: for counters and gauges the whole line up to the
 * value, for histograms the labels between the braces.
 */
function labelEncoder(view: SeriesView, constant: ConstantLabels): SeriesEncoder {
  let bytes = Buffer.allocUnsafe(1024)
  let known: readonly MetricDefinition[] = []
  let layouts: LabelLayout[] = []
  return (id, metric) => {
    if (known !== view.metrics) {
      known = view.metrics
      layouts = known.map(definition => labelLayout(definition, constant))
    }
    const layout = layouts[metric]
    let text = layout.constant
    for (const { open, indexes } of layout.labels) {
      let value = view.label(id, indexes[0])
      for (let i = 1; i < indexes.length; i++) value += `;${view.label(id, indexes[i])}`
      // To Prometheus an empty label and none are the same.
      if (value === '') continue
      text += (text === '' ? '' : ',') + open + escapeLabel(value)
      text += '"'
    }
    if (layout.sample !== undefined) {
      text = text === '' ? `${layout.sample} ` : `${layout.sample}{${text}} `
    }
    if (3 * text.length > bytes.length) bytes = Buffer.allocUnsafe(4 * text.length)
    return { bytes, length: bytes.write(text, 0, 'utf8') }
  }
}

interface LabelLayout {
  readonly sample: string | undefined
  readonly constant: string
  readonly labels: readonly { open: string; indexes: readonly number[] }[]
}

function labelLayout(definition: MetricDefinition, constant: ConstantLabels): LabelLayout {
  const { family } = prometheusName(definition)
  const groups = labelGroups(definition.labels)
  const own = new Set(groups.map(([name]) => name))
  const { type } = definition
  return {
    sample: type === 'histogram' ? undefined : type === 'counter' ? `${family}_total` : family,
    constant: constant
      .filter(([name, value]) => value !== '' && !own.has(name))
      .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
      .join(','),
    labels: groups.map(([name, indexes]) => ({ open: `${name}="`, indexes })),
  }
}

const LABEL_SPECIAL = /[\\"\n]/

export function escapeLabel(value: string): string {
  if (!LABEL_SPECIAL.test(value)) return value
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

/**
 * One dictionary as it reached this exporter through several pipelines: a series that came by any
 * of them.
 */
class UnionView implements SeriesView {
  readonly #views: readonly SeriesView[]

  constructor(views: readonly SeriesView[]) {
    this.#views = views
  }
  get dictionary(): number {
    return this.#views[0].dictionary
  }
  get epoch(): number {
    return this.#views[0].epoch
  }
  get metrics(): readonly MetricDefinition[] {
    return this.#views[0].metrics
  }
  get idsEnd(): number {
    let end = 0
    for (const view of this.#views) end = Math.max(end, view.idsEnd)
    return end
  }
  has(id: number): boolean {
    for (const view of this.#views) if (view.has(id)) return true
    return false
  }
  metricOf(id: number): number {
    return this.#views[0].metricOf(id)
  }
  generationOf(id: number): number {
    return this.#views[0].generationOf(id)
  }
  label(id: number, index: number): string {
    return this.#views[0].label(id, index)
  }
  value(id: number, slot: number): number {
    return this.#views[0].value(id, slot)
  }
  startUs(id: number): number {
    return this.#views[0].startUs(id)
  }
  timeUs(id: number): number {
    return this.#views[0].timeUs(id)
  }
}
