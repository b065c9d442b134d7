/**
 * Components that break the contract on purpose, each in one way, as a plugin: hanging, throwing,
 * giving what is no batch. The tests then ask what it costs the others.
 */
import {
  type Batch,
  BatchWriter,
  ConfigError,
  defineExporter,
  defineProcessor,
  defineReceiver,
  EnvironmentError,
} from 'fovea'
import { ROW } from './faulty_rows.ts'

const fault = { type: 'string', default: '', description: 'What it does wrong.' } as const
const never = () => new Promise<never>(() => undefined)

function rows(count: number, table = 'rude_receiver'): Batch {
  const writer = new BatchWriter(table, ROW, count)
  writer.length = count
  writer.data.packets.fill(1, 0, count)
  return writer.done()
}

const receiver = defineReceiver({
  type: 'rude_receiver',
  summary: 'Rows, then a fault',
  stability: 'development',
  config: { fault },
  emits: ROW,
  async open(config) {
    if (config.fault === 'open hangs') await never()
    if (config.fault === 'open throws') throw new TypeError('nothing.here is not a function')
    let reads = 0
    return {
      read() {
        reads++
        if (config.fault === 'endless') return rows(4096)
        if (reads % 2 === 0) return null
        if (config.fault === 'read throws') throw new Error(`row ${reads} is bad`)
        if (config.fault === 'other table') return rows(3, 'stranger')
        if (config.fault === 'no batch') return { length: 4 } as Batch
        if (config.fault === 'too long') return { ...rows(3), length: 99 }
        return rows(10)
      },
      ended() {
        if (config.fault === 'ended throws') throw new Error('no end')
        return false
      },
      finish() {
        if (config.fault === 'finish throws') throw new Error('no finish')
      },
      close() {
        if (config.fault === 'close throws') throw new Error('no close')
        return config.fault === 'close hangs' ? never() : undefined
      },
    }
  },
})

const stage = defineProcessor({
  type: 'rude_stage',
  summary: 'Passes rows on, wrongly',
  stability: 'development',
  config: { fault },
  plan: tables => tables,
  open: (_tables, config) => ({
    process(batch) {
      if (config.fault === 'twice') return [batch, batch]
      if (config.fault === 'null inside') return [null as never, batch]
      if (config.fault === 'other table') return { ...batch, table: 'stranger' }
      while (config.fault === 'hangs');
      const startMs = performance.now()
      while (config.fault === 'slow' && performance.now() - startMs < 150);
      return batch
    },
  }),
  feed(config, host) {
    host.count(`feed of ${config.fault || 'none'}`, 1)
    return {
      start(send) {
        if (config.fault === 'feed sends a view') send(new Uint8Array(8) as never)
        const buffer = new ArrayBuffer(8)
        send(buffer)
        if (config.fault === 'feed sends twice') send(buffer)
        return config.fault === 'feed hangs' ? never() : undefined
      },
      snapshot: () => new ArrayBuffer(8),
      close() {
        host.count(`feed closed of ${config.fault || 'none'}`, 1)
        if (config.fault === 'feed close throws') throw new Error('no close')
        return config.fault === 'feed close hangs' ? never() : undefined
      },
    }
  },
})

const exporter = defineExporter({
  type: 'rude_exporter',
  summary: 'Takes rows, rudely',
  stability: 'development',
  config: { fault },
  needs: {},
  async open(config) {
    if (config.fault === 'open hangs') await never()
    if (config.fault === 'open lacks') throw new EnvironmentError('no port', 'Free it.')
    if (config.fault === 'open mistake') {
      throw new ConfigError([{ path: 'fault', message: 'no good' }])
    }
    return {
      write() {
        if (config.fault === 'write throws') throw new Error('no write')
        return config.fault === 'write hangs' ? never() : undefined
      },
      close() {
        if (config.fault === 'close throws') throw new Error('no close')
        return config.fault === 'close hangs' ? never() : undefined
      },
    }
  },
})

export default [receiver, stage, exporter]
