/**
 * Reloads while rows are on their way between workers: none is lost, none is there twice, and
 * nothing of the old graph is left.
 */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { collected } from '../harness/collected.ts'
import { planOf, runGraph } from '../harness/graph.ts'
import { until } from '../harness/until.ts'

beforeEach(() => collected.clear())

const yaml = (of: number, worker: string, telemetry = '""') => `
receivers: { test_counter: { endless: true, batches: 1000000, rows: 20000, each: 1 } }
processors: { rude_stage: { fault: slow }, test_sieve: { of: ${of} } }
exporters: { test_collect: {}, test_collect/direct: {} }
service:
  telemetry: { endpoint: "", resource: { site: ${telemetry} } }
  pipelines:
    first: { receivers: [test_counter], processors: [rude_stage], worker: first }
    second:
      receivers: [pipeline/first]
      processors: [rude_stage, test_sieve]
      exporters: [test_collect]
      worker: ${worker}
    direct: { receivers: [test_counter], exporters: [test_collect/direct] }`

test('reloads under load lose no row between a worker that stays and one that goes', async () => {
  const { accounts } = await runGraph({ yaml: yaml(1_000_000, 'w') }, async (agent, folder) => {
    const rows = () => collected.get('test_collect')?.rows ?? 0
    for (let at = 1; at <= 12; at++) {
      const before = rows()
      await agent.runtime.reload(await planOf(yaml(1_000_000 + at, `w${at % 2}`), folder))
      await until('rows flow again', () => rows() > before)
    }
    assert.deepEqual([...agent.runtime.graph.links.keys()].sort(), ['first', 'w0'])
  })
  const read = accounts.find(({ kind }) => kind === 'receiver')?.rows.out ?? 0
  const sieve = accounts.find(({ component }) => component === 'test_sieve')?.rows
  assert.ok(read > 0)
  assert.equal(collected.get('test_collect/direct')?.rows, read)
  assert.equal(sieve?.in, read)
  assert.equal((collected.get('test_collect')?.rows ?? 0) + (sieve?.filtered ?? 0), read)
})
