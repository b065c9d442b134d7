/**
 * A stage's pen for its dictionary: it notes births and ends in the worker, core carries the notes
 * to the store in the main thread beside the batches, in order and never through a queue.
 */
import type { MetricDefinition, SeriesNews, SeriesWriter } from '../series.ts'

export class SeriesRecorder implements SeriesWriter {
  readonly dictionary: number
  #metrics: readonly MetricDefinition[] | undefined
  #bornIds: number[] = []
  #bornMetrics: number[] = []
  #bornLabels: string[] = []
  #gone: number[] = []
  #released: number[] = []

  constructor(dictionary: number) {
    this.dictionary = dictionary
  }

  metrics(list: readonly MetricDefinition[]): void {
    this.#metrics = list
  }

  born(id: number, metric: number, labels: readonly string[]): void {
    this.#bornIds.push(id)
    this.#bornMetrics.push(metric)
    for (const label of labels) this.#bornLabels.push(label)
  }

  gone(id: number): void {
    this.#gone.push(id)
  }

  released(): readonly number[] {
    const ids = this.#released
    this.#released = []
    return ids
  }

  /** Core's side: these ids are free again. */
  release(ids: readonly number[]): void {
    for (const id of ids) this.#released.push(id)
  }

  /** Core's side: what was noted since the last call, or null. */
  take(): SeriesNews | null {
    if (!this.#metrics && this.#bornIds.length === 0 && this.#gone.length === 0) return null
    const news: SeriesNews = {
      dictionary: this.dictionary,
      ...(this.#metrics && { metrics: this.#metrics }),
      bornIds: this.#bornIds,
      bornMetrics: this.#bornMetrics,
      bornLabels: this.#bornLabels,
      gone: this.#gone,
    }
    this.#metrics = undefined
    this.#bornIds = []
    this.#bornMetrics = []
    this.#bornLabels = []
    this.#gone = []
    return news
  }
}
