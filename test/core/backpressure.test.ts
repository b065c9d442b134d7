/**
 * `overflow: block`: a slow exporter makes its receivers wait, however many workers lie between,
 * and nothing is lost on the way.
 */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { collected } from '../harness/collected.ts'
import { runGraph } from '../harness/graph.ts'
import { until } from '../harness/until.ts'

beforeEach(() => collected.clear())

const graph = (stages: string) => `
receivers: { test_counter: { batches: 300, rows: 10, each: 3 } }
processors: { rude_stage: }
exporters:
  test_collect: { delay: 5ms, sending_queue: { sizer: requests, queue_size: 2, overflow: block } }
service:
  telemetry: { endpoint: "" }
  pipelines:
    a: { receivers: [test_counter], ${stages.replace('WORKER', 'one')} }
    b: { receivers: [pipeline/a], ${stages.replace('WORKER', 'two')} }
    c: { receivers: [pipeline/b], exporters: [test_collect] }`

for (const [name, stages] of [
  ['no worker', ''],
  ['two workers', 'processors: [rude_stage], worker: WORKER'],
] as const) {
  test(`behind ${name}, a full queue pauses the receiver and no row is lost`, async () => {
    const yaml = graph(stages)
    let paused = 0
    const { accounts } = await runGraph({ yaml }, async agent => {
      const read = () => agent.runtime.ledger.account('receiver', 'test_counter').rows.out
      await until('the receiver was paused, and read on', () => {
        if (agent.runtime.graph.paused('test_counter')) paused = paused || read()
        return paused > 0 && read() > paused
      })
    })
    const exporter = accounts.find(({ kind }) => kind === 'exporter')?.rows
    const receiver = accounts.find(({ kind }) => kind === 'receiver')?.rows
    assert.ok((receiver?.out ?? 0) > 0)
    assert.equal(exporter?.refused, 0)
    assert.equal(exporter?.out, receiver?.out)
    assert.equal(collected.get('test_collect')?.rows, receiver?.out)
  })
}
