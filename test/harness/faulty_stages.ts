/**
 * Processors that filter, fold, throw, die, listen to a feed and make series: the middle of the
 * graphs that the runtime's tests build.
 */
import { existsSync, rmSync } from 'node:fs'
import { BatchWriter, defineProcessor, SERIES_COLUMNS, SERIES_TABLE } from 'fovea'
import { ROW, type Rows, randomFrom } from './faulty_rows.ts'

export const sieve = defineProcessor({
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

export const fold = defineProcessor({
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

export const stumble = defineProcessor({
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

export const tag = defineProcessor({
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
        const writer = new BatchWriter(
          batch.table,
          { ...tables[batch.table], tag: 'u32' },
          batch.length,
        )
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

export const series = defineProcessor({
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
