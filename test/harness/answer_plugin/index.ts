/**
 * A receiver in TypeScript, in a folder of its own: one row, then it has ended. The row says
 * whether `fovea/native` was there.
 */
import { BatchWriter, defineReceiver } from 'fovea'
import { openKernel } from 'fovea/native'

const COLUMNS = { time_us: 'number', metric: 'text', value: 'number' } as const

export default defineReceiver({
  type: 'answer',
  summary: 'The answer, once',
  stability: 'development',
  config: { value: { type: 'integer', default: 42, description: 'The answer.' } },
  emits: COLUMNS,
  open(config) {
    let isAnswered = false
    return {
      read() {
        if (isAnswered) return null
        isAnswered = true
        const writer = new BatchWriter('answer', COLUMNS, 1)
        writer.data.metric[0] = writer.textId(typeof openKernel)
        writer.data.value[0] = config.value
        writer.length = 1
        return writer.done()
      },
      ended: () => isAnswered,
      close() {},
    }
  },
})
