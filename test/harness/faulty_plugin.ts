/**
 * Components that misbehave on purpose, as a plugin: the runtime's tests build graphs of them and then ask the
 * ledger where every row went. Rows are numbered and carry a weight, so that sums can be compared as well.
 */
import { existsSync, rmSync } from 'node:fs'
import {
  type Batch,
  BatchWriter,
  defineExporter,
  defineProcessor,
  defineReceiver,
  PermanentError,
  RetryableError,
  SERIES_COLUMNS,
  SERIES_TABLE,
  type SeriesView,
} from 'fovea'
import { type Collected, collected } from './collected.ts'

const ROW = { time_us: 'number', number: 'u32', packets: 'number', name: 'text' } as const
type Rows = Batch<typeof ROW>

/** A small generator of its own, so that a failing graph can be run again. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

const counter = defineReceiver({
  type: 'test_counter',
  summary: 'Numbered rows, a given number of batches, then the end',
  stability: 'development',
  config: {
    batches: { type: 'integer', default: 10, description: 'Batches in all.' },
    rows: { type: 'integer', default: 10, description: 'Rows of a batch.' },
    each: { type: 'integer', default: 2, description: 'Batches for each read cycle.' },
    lost: { type: 'integer', default: 0, description: 'Lost rows that every batch reports.' },
    fails: { type: 'string', default: '', description: 'Message to fail to open with.' },
    endless: { type: 'boolean', default: false, description: 'Never ends.' },
  },
  emits: ROW,
  open(config) {
    if (config.fails) {
      throw Object.assign(new Error(config.fails), { name: 'EnvironmentError', remedy: 'Mend it.' })
    }
    let made = 0
    let now = 0
    return {
      read() {
        if (made >= config.batches || now++ >= config.each) {
          now = 0
          return null
        }
        const writer = new BatchWriter('test_counter', ROW, config.rows)
        for (let row = 0; row < config.rows; row++) {
          const number = made * config.rows + row
          writer.data.number[row] = number
          writer.data.packets[row] = (number % 7) + 1
          writer.data.time_us[row] = number
          writer.data.name[row] = writer.textId(`name ${number % 3}`)
        }
        writer.length = config.rows
        writer.lost = config.lost
        made++
        return writer.done()
      },
      ended: () => !config.endless && made >= config.batches,
      close: () => undefined,
    }
  },
})

const sieve = defineProcessor({
  type: 'test_sieve',
  summary: 'Filters rows whose number is a multiple',
  stability: 'development',
  config: { of: { type: 'integer', default: 3, description: 'Multiples of this go.' } },
  plan: tables => tables,
  open: (_tables, config, host) => ({
    process(batch) {
      const rows = batch as Rows
      const writer = new BatchWriter(batch.table, ROW, batch.length)
      for (let row = 0; row < rows.length; row++) {
        if (rows.data.number[row] % config.of === 0) continue
        const at = writer.length++
        writer.data.number[at] = rows.data.number[row]
        writer.data.packets[at] = rows.data.packets[row]
        writer.data.time_us[at] = rows.data.time_us[row]
        writer.data.name[at] = writer.textId(rows.text[rows.data.name[row]])
      }
      host.count('filtered', batch.length - writer.length)
      return writer.length > 0 ? writer.done() : null
    },
  }),
})

const fold = defineProcessor({
  type: 'test_fold',
  summary: 'Adds up rows of equal remainder and puts one out for each at a tick',
  stability: 'development',
  config: { keys: { type: 'integer', default: 4, description: 'Number of remainders.' } },
  plan: tables => tables,
  open(_tables, config, host) {
    const sums = new Map<number, number>()
    return {
      process(batch) {
        const { data, length } = batch as Rows
        for (let row = 0; row < length; row++) {
          const key = data.number[row] % config.keys
          if (sums.has(key)) host.count('folded', 1)
          sums.set(key, (sums.get(key) ?? 0) + data.packets[row])
        }
        return null
      },
      tick() {
        if (sums.size === 0) return null
        const writer = new BatchWriter('test_counter', ROW, sums.size)
        for (const [key, packets] of sums) {
          const at = writer.length++
          writer.data.number[at] = key + 1
          writer.data.packets[at] = packets
        }
        sums.clear()
        return [writer.done()]
      },
      held: () => sums.size,
    }
  },
})

const stumble = defineProcessor({
  type: 'test_stumble',
  summary: 'Throws at some batches; ends its whole thread when the file `die` is there',
  stability: 'development',
  config: {
    share: { type: 'number', default: 0.2, description: 'Share of batches to throw at.' },
    seed: { type: 'integer', default: 1, description: 'Seed.' },
    die: { type: 'string', default: '', description: 'File: removed, then the thread ends.' },
  },
  plan: tables => tables,
  open(_tables, config) {
    const random = randomFrom(config.seed)
    return {
      process(batch) {
        if (config.die && existsSync(config.die)) {
          rmSync(config.die)
          process.exit(9)
        }
        if (random() < config.share) throw new Error('stumbled on purpose')
        return batch
      },
    }
  },
})

const tag = defineProcessor({
  type: 'test_tag',
  summary: 'Adds a column with the newest word of its feed',
  stability: 'development',
  config: {
    words: {
      type: 'list',
      items: { type: 'string', description: 'A word.' },
      default: ['a'],
      description: 'Words that the feed sends, one a change.',
    },
  },
  plan: tables => mapTables(tables, columns => ({ ...columns, tag: 'u32' as const })),
  open(tables) {
    let word = 0
    return {
      update(buffer) {
        word = new Uint32Array(buffer)[0]
      },
      process(batch) {
        const rows = batch as Rows
        const writer = new BatchWriter(batch.table, { ...tables[batch.table], tag: 'u32' }, batch.length)
        const data = writer.data as unknown as Rows['data'] & { tag: Uint32Array }
        data.number.set(rows.data.number.subarray(0, rows.length))
        data.packets.set(rows.data.packets.subarray(0, rows.length))
        data.tag.fill(word, 0, rows.length)
        writer.length = rows.length
        return writer.done()
      },
    }
  },
  feed(config) {
    let sent = 0
    return {
      start(send) {
        sent = config.words.length
        send(new Uint32Array([sent]).buffer)
      },
      snapshot: () => new Uint32Array([sent]).buffer,
      close: () => undefined,
    }
  },
})

function mapTables<A, B>(
  tables: Readonly<Record<string, A>>,
  to: (from: A) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(tables).map(([name, columns]) => [name, to(columns)]))
}

const series = defineProcessor({
  type: 'test_series',
  summary: 'One cumulative series for each name',
  stability: 'development',
  config: {},
  plan: () => ({ [SERIES_TABLE]: SERIES_COLUMNS }),
  open(_tables, _config, host) {
    host.series.metrics([
      {
        name: 'test.packets',
        description: 'Packets.',
        unit: '{packet}',
        type: 'counter',
        labels: ['name'],
      },
    ])
    const ids = new Map<string, number>()
    const sums: number[] = []
    const changed = new Set<number>()
    return {
      process(batch) {
        const rows = batch as Rows
        for (let row = 0; row < rows.length; row++) {
          const name = rows.text[rows.data.name[row]]
          let id = ids.get(name)
          if (id === undefined) {
            id = ids.size
            ids.set(name, id)
            sums[id] = 0
            host.series.born(id, 0, [name])
          }
          sums[id] += rows.data.packets[row]
          changed.add(id)
        }
        host.count('folded', rows.length)
        return null
      },
      tick() {
        const writer = new BatchWriter(SERIES_TABLE, SERIES_COLUMNS, changed.size)
        writer.dictionary = host.series.dictionary
        for (const id of changed) {
          const at = writer.length++
          writer.data.series[at] = id
          writer.data.value[at] = sums[id]
        }
        host.count('created', changed.size)
        changed.clear()
        return writer.done()
      },
    }
  },
})

const collect = defineExporter({
  type: 'test_collect',
  summary: 'Keeps count of what it accepted; refuses, fails and dawdles by configuration',
  stability: 'development',
  config: {
    retryable: { type: 'number', default: 0, description: 'Share of retryable failures.' },
    permanent: { type: 'number', default: 0, description: 'Share of permanent failures.' },
    hang: { type: 'boolean', default: false, description: 'Never answers until aborted.' },
    delay: { type: 'duration', default: '0s', description: 'Time to accept one batch.' },
    seed: { type: 'integer', default: 1, description: 'Seed.' },
  },
  needs: {},
  open(config, host) {
    const random = randomFrom(config.seed)
    const own: Collected = { rows: 0, packets: 0, batches: 0, tags: new Set(), series: new Map() }
    collected.set(host.id, own)
    let newest: SeriesView | undefined
    return {
      async write(batch, { signal, series: view }) {
        newest = view ?? newest
        if (config.hang) {
          await new Promise(resolve => signal.addEventListener('abort', resolve))
          throw new Error('aborted')
        }
        if (config.delay > 0) await new Promise(resolve => setTimeout(resolve, config.delay))
        const dice = random()
        if (dice < config.retryable) throw new RetryableError('again, please')
        if (dice < config.retryable + config.permanent) throw new PermanentError('never')
        own.batches++
        own.rows += batch.length
        const { packets, tag: tags } = batch.data as unknown as Record<string, ArrayLike<number>>
        for (let row = 0; row < batch.length; row++) {
          if (packets) own.packets += packets[row]
          if (tags) own.tags.add(tags[row])
        }
      },
      close() {
        for (let id = 0; newest && id < newest.idsEnd; id++) {
          if (newest.has(id)) own.series.set(newest.label(id, 0), newest.value(id, 0))
        }
      },
    }
  },
})

export default [counter, sieve, fold, stumble, tag, series, collect]
