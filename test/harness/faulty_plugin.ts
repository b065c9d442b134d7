/**
 * Components that misbehave on purpose, as a plugin: the runtime's tests build graphs of them and
 * then ask the ledger where every row went. Rows are numbered and carry a weight, so that sums can
 * be compared as well.
 */
import {
  BatchWriter,
  defineExporter,
  defineReceiver,
  PermanentError,
  RetryableError,
  type SeriesView,
} from 'fovea'
import { type Collected, collected } from './collected.ts'
import { ROW, randomFrom } from './faulty_rows.ts'
import { fold, series, sieve, stumble, tag } from './faulty_stages.ts'

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
