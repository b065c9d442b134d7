/**
 * The runtime as a whole: feeds, receivers that cannot open, reloads that fail, health and the
 * agent's own metrics.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { decodeMetrics, metricsOf, plain } from '../exporters/otlp/decode.ts'
import { grpcServer } from '../exporters/otlp/servers.ts'
import { collected } from '../harness/collected.ts'
import { planOf, runGraph } from '../harness/graph.ts'
import { until } from '../harness/until.ts'

beforeEach(() => collected.clear())

const service = (pipeline: string, telemetry = '""') =>
  `service: { telemetry: { endpoint: ${telemetry} }, pipelines: { p: ${pipeline} } }`

const SIEVED = '{ receivers: [test_counter], processors: [test_sieve], exporters: [test_collect] }'

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

test('a worker that was restarted has the feed’s whole state before the next batch', async () => {
  await runGraph(
    {
      yaml: `
receivers: { test_counter: { endless: true, batches: 100000, rows: 2, each: 1 } }
processors: { test_tag: { words: [a, b, c] }, test_stumble: { share: 0, die: DIE } }
exporters: { test_collect: {} }
${service(SIEVED.replace('test_sieve', 'test_stumble, test_tag'))}`,
    },
    async (agent, folder) => {
      const events = agent.runtime.ledger.events
      const restarts = () => events.get('worker/default\nrestarts') ?? 0
      const batches = () => collected.get('test_collect')?.batches ?? 0
      await until('the first worker died and the next one works', () => batches() > 0)
      writeFileSync(join(folder, 'die'), '')
      await until('the second one died', () => restarts() === 2)
      const before = batches()
      await until('the third one works', () => batches() > before)
    },
  )
  assert.deepEqual([...(collected.get('test_collect')?.tags ?? [])], [3])
})

test('a receiver that cannot open degrades alone; a required one ends the start', async () => {
  const yaml = (required: boolean) => `
receivers:
  test_counter/good: { batches: 2, rows: 5 }
  test_counter/bad: { fails: this kernel has no such hook, required: ${required} }
exporters: { test_collect: {} }
${service('{ receivers: [test_counter/good, test_counter/bad], exporters: [test_collect] }')}`
  await runGraph({ yaml: yaml(false) })
  assert.equal(collected.get('test_collect')?.rows, 10)
  await assert.rejects(runGraph({ yaml: yaml(true) }), /this kernel has no such hook/)
})

test('when no receiver can open, the start fails and says why for each', async () => {
  const yaml = `
receivers: { test_counter/a: { fails: no rights }, test_counter/b: { fails: no BTF } }
exporters: { test_collect: {} }
${service('{ receivers: [test_counter/a, test_counter/b], exporters: [test_collect] }')}`
  await assert.rejects(runGraph({ yaml }), {
    name: 'EnvironmentError',
    message: 'receiver test_counter/a: no rights\nreceiver test_counter/b: no BTF',
  })
})

test('a reload that cannot be built changes nothing; one that can loses no row', async () => {
  const yaml = (of: number, more = '') => `
receivers: { test_counter: { endless: true, batches: 100000, rows: 6, each: 1 }${more} }
processors: { test_sieve: { of: ${of} } }
exporters: { test_collect: {} }
${service(more ? SIEVED.replace('counter', 'counter, test_counter/bad') : SIEVED)}`
  const { accounts, events } = await runGraph({ yaml: yaml(2) }, async (agent, folder) => {
    const rows = () => collected.get('test_collect')?.rows ?? 0
    await until('rows come', () => rows() > 0)
    const bad = await planOf(yaml(2, ', test_counter/bad: { fails: no, required: true }'), folder)
    await assert.rejects(agent.runtime.reload(bad), /no/)
    const before = rows()
    await until('rows still come', () => rows() > before)
    await agent.runtime.reload(await planOf(yaml(3), folder))
    const then = rows()
    await until('rows come again', () => rows() > then)
  })
  assert.equal(events.get('worker/default\nrestarts'), undefined)
  const of = (component: string) => accounts.find(a => a.component === component)?.rows
  assert.equal(
    of('test_sieve')?.in,
    of('test_counter')?.out,
    'no row was lost between the two graphs',
  )
  assert.equal(of('test_sieve')?.out, of('test_collect')?.out)
})

test('after a reload an exporter shows only series that still come its way', async () => {
  const yaml = (pipelines: string) => `
receivers: { test_counter: { endless: true, batches: 100000, rows: 6, each: 1 } }
processors: { test_series: {}, test_sieve: {} }
exporters: { test_collect/stays: {}, test_collect/goes: {} }
service:
  telemetry: { endpoint: "" }
  pipelines:
    series: { receivers: [test_counter], processors: [test_series], exporters: [${pipelines}] }
    rows: { receivers: [test_counter], processors: [test_sieve], exporters: [test_collect/stays] }
`
  await runGraph({ yaml: yaml('test_collect/stays, test_collect/goes') }, async (agent, folder) => {
    const rows = () => collected.get('test_collect/goes')?.rows ?? 0
    await until('series came both ways', () => rows() > 0)
    await agent.runtime.reload(await planOf(yaml('test_collect/goes'), folder))
    const then = rows()
    await until('series still come one way', () => rows() > then)
  })
  assert.deepEqual([...(collected.get('test_collect/stays')?.series ?? [])], [])
  assert.equal(collected.get('test_collect/goes')?.series.size, 3)
})

test('health and the agent’s own metrics tell the truth over HTTP', async () => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const yaml = `
receivers: { test_counter: { endless: true, batches: 3, rows: 7, lost: 2 } }
processors: { test_sieve: { of: 7 } }
exporters: { test_collect: {} }
${service(SIEVED, `"127.0.0.1:${port}"`)}`
  await runGraph({ yaml }, async () => {
    await until('all rows are exported', () => collected.get('test_collect')?.rows === 18)
    assert.equal((await fetch(`${url}/healthz`)).status, 200)
    const ready = await fetch(`${url}/readyz`)
    assert.deepEqual([ready.status, await ready.text()], [200, 'ready\n'])
    const text = await (await fetch(`${url}/metrics`)).text()
    const value = (name: string, ...labels: string[]) =>
      text
        .split('\n')
        .filter(
          line => /^\w+/.exec(line)?.[0] === name && labels.every(label => line.includes(label)),
        )
        .map(line => Number(line.split(' ')[1]))
    assert.deepEqual(value('fovea_receiver_rows_total', 'receiver="test_counter"'), [21])
    assert.deepEqual(value('fovea_receiver_lost_total', 'cause="unknown"'), [6])
    assert.deepEqual(value('fovea_processor_rows_total', 'outcome="filtered"'), [3])
    assert.deepEqual(value('fovea_processor_rows_total', 'outcome="out"'), [18])
    assert.deepEqual(value('fovea_exporter_rows_total', 'outcome="out"', 'pipeline="p"'), [18])
    assert.deepEqual(value('fovea_exporter_queue_size', 'exporter="test_collect"'), [0])
    assert.ok(value('fovea_process_resident_memory_bytes')[0] > 1e7)
  })
  await assert.rejects(fetch(`${url}/healthz`), 'the server is gone after the stop')
})

test('with otlp_endpoint the agent pushes its own metrics to a collector by gRPC', async t => {
  const server = await grpcServer()
  t.after(() => server.close())
  const yaml = `
receivers: { test_counter: { endless: true, batches: 3, rows: 7 } }
exporters: { test_collect: {} }
service:
  telemetry:
    endpoint: ""
    otlp_endpoint: "127.0.0.1:${server.port}"
    otlp_interval: 1s
    resource: { a: b }
  pipelines: { p: { receivers: [test_counter], exporters: [test_collect] } }
`
  const rows = () => {
    const points = metricsOf(server.received.map(({ body }) => body)).get('fovea_receiver_rows')
    return points?.at(-1)
  }
  await runGraph({ yaml }, () => until('all rows are told of', () => rows()?.as_double === 21))
  assert.deepEqual(plain(rows()?.attributes ?? []), { receiver: 'test_counter' })
  const [{ resource }] = decodeMetrics(server.received[0].body).resource_metrics
  const { a, 'service.name': name } = plain(resource.attributes)
  assert.deepEqual([a, name], ['b', 'fovea'])
})
