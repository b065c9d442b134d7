/**
 * All series stores of one agent, the view that each pipeline has of them, and the ids that wait to
 * be used again.
 *
 * An id whose series ended goes back to its stage only when every branch has let go of the batches
 * that name it.
 */
import type { Batch } from '../batch.ts'
import {
  PipelineSeries,
  SERIES_TABLE,
  type SeriesBatch,
  type SeriesNews,
  SeriesStore,
} from '../series.ts'
import type { Branch } from './branch.ts'

interface Waiting {
  readonly dictionary: number
  readonly ids: readonly number[]
  /** What each branch had taken when the series ended. */
  readonly taken: readonly { readonly branch: Branch; readonly number: number }[]
}

export class SeriesBooks {
  readonly #stores = new Map<number, SeriesStore>()
  readonly #views = new Map<string, PipelineSeries>()
  #waiting: Waiting[] = []

  #store(dictionary: number): SeriesStore {
    let store = this.#stores.get(dictionary)
    if (!store) {
      store = new SeriesStore(dictionary)
      this.#stores.set(dictionary, store)
    }
    return store
  }

  apply(news: SeriesNews, branches: Iterable<Branch>): void {
    this.#store(news.dictionary).apply(news)
    if (news.gone.length === 0) return
    const taken = [...branches].map(branch => ({ branch, number: branch.taken }))
    this.#waiting.push({ dictionary: news.dictionary, ids: news.gone, taken })
  }

  /** Newest values into the store: once a batch, before any queue. */
  update(batch: Batch): void {
    if (batch.table === SERIES_TABLE && batch.dictionary > 0) {
      this.#store(batch.dictionary).update(batch as SeriesBatch)
    }
  }

  /** What a branch of this pipeline is shown with the batch. */
  view(pipeline: string, batch: Batch): PipelineSeries | undefined {
    if (batch.table !== SERIES_TABLE || batch.dictionary === 0) return undefined
    const key = `${pipeline}\n${batch.dictionary}`
    let view = this.#views.get(key)
    if (!view) {
      view = new PipelineSeries(this.#store(batch.dictionary))
      this.#views.set(key, view)
    }
    view.mark(batch as SeriesBatch)
    return view
  }

  /** Ids that every branch let go, by dictionary. */
  takeReleased(): { dictionary: number; ids: readonly number[] }[] {
    const free = this.#waiting.filter(({ taken }) =>
      taken.every(({ branch, number }) => branch.done >= number),
    )
    if (free.length > 0) this.#waiting = this.#waiting.filter(waiting => !free.includes(waiting))
    return free.map(({ dictionary, ids }) => ({ dictionary, ids }))
  }

  restart(dictionary: number): void {
    this.#store(dictionary).restart()
    this.#waiting = this.#waiting.filter(waiting => waiting.dictionary !== dictionary)
  }
}
