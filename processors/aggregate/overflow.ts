/**
 * One overflow series per metric, as OpenTelemetry names it: the sum of all label sets that found
 * no room.
 *
 * The values stand in entry 0 of each group; here is what makes series of them. They count against
 * no limit and never end, so that the sum over a metric's series is always the sum over its rows.
 */
import type { ProcessorHost } from '../../core/index.ts'
import { type Group, type SeriesRows, writeSlot } from './group.ts'
import type { Metric } from './metrics.ts'

export class Overflow {
  readonly #metrics: readonly Metric[]
  readonly #groups: readonly Group[]
  readonly #host: ProcessorHost
  /** Series id by metric, -1 before it is born. */
  readonly #ids: Int32Array

  constructor(metrics: readonly Metric[], groups: readonly Group[], host: ProcessorHost) {
    this.#metrics = metrics
    this.#groups = groups
    this.#host = host
    this.#ids = new Int32Array(metrics.length).fill(-1)
  }

  /** A row of this group found no room. */
  add(group: Group, nowUs: number): void {
    if (group.overflows === 0) {
      group.start[0] = nowUs
      const names = [...metricsOf(group)].map(metric => this.#metrics[metric].definition.name)
      this.#host.log.warn('series_max is reached: new label sets count as otel.metric.overflow', {
        metrics: names.join(', '),
      })
    }
    group.overflows++
  }

  /** Rows that `write` is going to put out. */
  count(): number {
    let rows = 0
    for (const group of this.#groups) {
      if (group.dirty[0] === 0) continue
      for (const metric of metricsOf(group)) rows += slotsOfMetric(group, metric)
    }
    return rows
  }

  write(rows: SeriesRows, nowUs: number, takeId: () => number): void {
    for (const group of this.#groups) {
      if (group.dirty[0] === 0) continue
      for (const metric of metricsOf(group)) {
        if (this.#ids[metric] < 0) {
          this.#ids[metric] = takeId()
          this.#host.series.born(this.#ids[metric], 2 * metric + 1, ['true'])
        }
        const slots = slotsOfMetric(group, metric)
        for (let slot = 0; slot < slots; slot++) {
          const value = overflowValue(group, metric, slot)
          writeSlot(rows, this.#ids[metric], slot, value, group.start[0] || nowUs, nowUs)
        }
      }
    }
  }
}

function metricsOf(group: Group): Set<number> {
  return new Set(group.plan.members.map(member => member.metric))
}

function slotsOfMetric(group: Group, metric: number): number {
  return group.plan.members.find(member => member.metric === metric)?.slots ?? 0
}

/** All parts of a spread metric together; of gauges the last one that has a reading. */
function overflowValue(group: Group, metric: number, slot: number): number {
  let value = 0
  for (const member of group.plan.members) {
    if (member.metric !== metric) continue
    const part = group.values[member.offset + slot]
    if (member.type !== 'gauge') value += part
    else if (!Number.isNaN(part)) value = part
  }
  return value
}
