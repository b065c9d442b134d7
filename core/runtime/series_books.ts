/**
 * All series stores of one agent, the view that each branch has of them, and the ids that wait to
 * be used again.
 *
 * An id whose series ended goes back to its stage only when every branch has let go of the batches
 * that name it.
 */
import type { Batch } from '../batch.ts'
import {
  BranchSeries,
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
  /** By `pipeline\nexporter`, then by dictionary. */
  readonly #views = new Map<string, Map<number, BranchSeries>>()
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

  /** What an exporter is shown with a batch that left this pipeline. */
  view(pipeline: string, exporter: string, batch: Batch): BranchSeries | undefined {
    if (batch.table !== SERIES_TABLE || batch.dictionary === 0) return undefined
    const route = `${pipeline}\n${exporter}`
    let views = this.#views.get(route)
    if (!views) {
      views = new Map()
      this.#views.set(route, views)
    }
    let view = views.get(batch.dictionary)
    if (!view) {
      view = new BranchSeries(this.#store(batch.dictionary))
      views.set(batch.dictionary, view)
    }
    view.mark(batch as SeriesBatch)
    return view
  }

  /**
   * After a reload: what came by other routes, or from stages that are no more, is shown no longer.
   */
  keep(routes: ReadonlySet<string>, dictionaries: ReadonlySet<number>): void {
    for (const [route, views] of this.#views) {
      if (routes.has(route)) continue
      for (const view of views.values()) view.retire()
      this.#views.delete(route)
    }
    for (const [dictionary, store] of this.#stores) {
      if (dictionaries.has(dictionary)) continue
      store.restart()
      this.#stores.delete(dictionary)
      for (const views of this.#views.values()) views.delete(dictionary)
    }
    this.#waiting = this.#waiting.filter(({ dictionary }) => dictionaries.has(dictionary))
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
