/**
 * Delta temporality: growth since the last acknowledged request, never lost by a failure, never
 * sent twice.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { MetricDefinition } from '../../../core/series.ts'
import { SeriesFixture } from '../series_fixture.ts'
import { type DecodedPoint, decodeMetrics, metricsOf, plain } from './decode.ts'
import { opened } from './opened.ts'
import { grpcServer } from './servers.ts'

const metric = (type: MetricDefinition['type'], name: string): MetricDefinition => ({
  name,
  type,
  description: '',
  unit: '{packet}',
  labels: [],
  ...(type === 'histogram' ? { bounds: [1, 2] } : {}),
})
const METRICS = [metric('counter', 'c'), metric('gauge', 'g'), metric('histogram', 'h')]
const US = 1_700_000_000_000_000
const seconds = (us: number) => `${(us - US) / 1e6} s`

function short(point: DecodedPoint): string {
  const from = seconds(Number(point.start_time_unix_nano) / 1000)
  const to = seconds(Number(point.time_unix_nano) / 1000)
  const { as_int, as_double, count, sum, bucket_counts } = point
  const value = as_int ?? as_double ?? `${count} sum ${sum} in ${bucket_counts}`
  return `${value} from ${from} to ${to}`
}

async function start(test: import('node:test').TestContext) {
  const server = await grpcServer()
  test.after(server.close)
  const fixture = new SeriesFixture(METRICS)
  for (const id of [0, 1, 2]) fixture.born(id, id, [])
  const given = { endpoint: `127.0.0.1:${server.port}`, temporality: 'delta' } as const
  const { write } = await opened(test, given)
  /** Values of counter, gauge and histogram at second `at`; what the server got of each. */
  const send = async (at: number, counter: number, gauge: number, own: number[], startAt = 0) => {
    const times = { startUs: US + startAt * 1e6, timeUs: US + at * 1e6 }
    const count = own.reduce((a, b) => a + b, 0)
    const batch = fixture.batch([
      { id: 0, values: [counter], ...times },
      { id: 1, values: [gauge], ...times },
      { id: 2, values: [10 * count, count, ...own], ...times },
    ])
    server.received.length = 0
    await write(batch, fixture.view)
    const points = metricsOf(server.received.map(({ body }) => body))
    return Object.fromEntries([...points].map(([name, list]) => [name, list.map(short)]))
  }
  return { server, fixture, send, write }
}

test('each request says what was added since the one before', async t => {
  const { send, server } = await start(t)
  assert.deepEqual(await send(1, 100, 7, [1, 2, 3]), {
    c: ['100 from 0 s to 1 s'],
    g: ['7 from 0 s to 1 s'],
    h: ['6 sum 60 in 1,2,3 from 0 s to 1 s'],
  })
  assert.deepEqual(await send(2, 130, 7, [1, 2, 4]), {
    c: ['30 from 1 s to 2 s'],
    g: ['7 from 0 s to 2 s'],
    h: ['1 sum 10 in 0,0,1 from 1 s to 2 s'],
  })
  const [scope] = decodeMetrics(server.received[0].body).resource_metrics[0].scope_metrics
  assert.deepEqual(
    scope.metrics.map(({ sum, histogram }) => (sum ?? histogram)?.aggregation_temporality),
    [1, undefined, 1],
  )
})

test('what did not change is not sent, a gauge is', async t => {
  const { send } = await start(t)
  await send(1, 100, 7, [1, 2, 3])
  assert.deepEqual(await send(2, 100, 7, [1, 2, 3]), { g: ['7 from 0 s to 2 s'] })
  assert.deepEqual(Object.keys(await send(3, 101, 7, [1, 2, 3])), ['c', 'g'])
})

test('growth of a request that failed is in the next one', async t => {
  const { send, server } = await start(t)
  await send(1, 100, 7, [1, 0, 0])
  server.script.push({ code: 14 })
  await assert.rejects(send(2, 150, 7, [2, 0, 0]))
  assert.deepEqual(await send(3, 175, 7, [3, 0, 0]), {
    c: ['75 from 1 s to 3 s'],
    g: ['7 from 0 s to 3 s'],
    h: ['2 sum 20 in 2,0,0 from 1 s to 3 s'],
  })
})

test('a counter that began anew is counted from its new beginning', async t => {
  const { send } = await start(t)
  await send(1, 100, 7, [5, 0, 0])
  assert.deepEqual(await send(9, 40, 7, [2, 0, 0], 5), {
    c: ['40 from 5 s to 9 s'],
    g: ['7 from 5 s to 9 s'],
    h: ['2 sum 20 in 2,0,0 from 5 s to 9 s'],
  })
})

test('an id that was given to another series begins at nothing', async t => {
  const { send, fixture, server, write } = await start(t)
  await send(1, 100, 7, [0, 0, 0])
  fixture.gone(0)
  fixture.born(0, 2, [])
  server.received.length = 0
  const times = { startUs: US, timeUs: US + 2e6 }
  await write(fixture.batch([{ id: 0, values: [50, 5, 5, 0, 0], ...times }]), fixture.view)
  const points = metricsOf(server.received.map(({ body }) => body))
  assert.deepEqual(points.get('h')?.map(short), ['5 sum 50 in 5,0,0 from 0 s to 2 s'])
})

test('whatever fails in between, what was acknowledged adds up to the whole growth', async t => {
  const server = await grpcServer()
  t.after(server.close)
  const step = fc.record({
    growth: fc.array(fc.nat({ max: 1000 }), { minLength: 40, maxLength: 40 }),
    /** Which of the step's requests the server refuses for now. */
    refused: fc.uniqueArray(fc.nat({ max: 3 }), { maxLength: 3 }),
    restarts: fc.boolean(),
  })
  const property = fc.asyncProperty(fc.array(step, { maxLength: 8 }), async steps => {
    const fixture = new SeriesFixture([{ ...METRICS[0], labels: ['i'] }])
    for (let id = 0; id < 40; id++) fixture.born(id, 0, [`${id} ${'x'.repeat(200)}`])
    const endpoint = `127.0.0.1:${server.port}`
    const given = { endpoint, temporality: 'delta', message_size_max: 4096 } as const
    const { write, close } = await opened(t, given)
    const total = new Array<number>(40).fill(0)
    const now = new Array<number>(40).fill(0)
    const seen = new Array<number>(40).fill(0)
    const send = async (at: number, startUs: number, refused: readonly number[]) => {
      const times = { startUs, timeUs: US + at * 1e6 }
      const batch = fixture.batch(now.map((value, id) => ({ id, values: [value], ...times })))
      server.script.push(...[0, 1, 2, 3].map(i => (refused.includes(i) ? { code: 14 } : {})))
      const answers = [...server.script]
      server.received.length = 0
      await write(batch, fixture.view).catch(() => {})
      server.script.length = 0
      const accepted = server.received.filter((_, i) => !answers[i]?.code)
      for (const point of metricsOf(accepted.map(({ body }) => body)).get('c') ?? []) {
        seen[Number.parseInt(String(plain(point.attributes).i), 10)] += Number(point.as_int)
      }
    }
    let startUs = US
    for (const [i, { growth, refused, restarts }] of steps.entries()) {
      // A counter may begin anew only when all of it is known: its past is gone with it.
      if (restarts) {
        await send(2 * i + 1, startUs, [])
        now.fill(0)
        startUs = US + (2 * i + 1) * 1e6
      }
      for (const [id, by] of growth.entries()) {
        total[id] += by
        now[id] += by
      }
      await send(2 * i + 2, startUs, refused)
    }
    await send(100, startUs, [])
    await close()
    assert.deepEqual(seen, total)
  })
  await fc.assert(property, { numRuns: 30 })
})
