/**
 * The oracle: for any series, a server reads from our requests what it reads from the SDK's own
 * exporter.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc'
import fc from 'fast-check'
import { fixtureOf, generated, RESOURCE, sdkMetrics } from '../sdk_metrics.ts'
import { decodeMetrics, metricsOf } from './decode.ts'
import { opened } from './opened.ts'
import { grpcServer, httpServer } from './servers.ts'

test('a server reads the same from us and from the SDK, value for value', async t => {
  const server = await grpcServer()
  t.after(server.close)
  const theirs = new OTLPMetricExporter({ url: `http://127.0.0.1:${server.port}` })
  t.after(() => theirs.shutdown())
  const property = fc.asyncProperty(generated, async data => {
    const fixture = fixtureOf(data)
    const exporter = await opened(t, { endpoint: `127.0.0.1:${server.port}` })
    const batch = fixture.batch(data.series.map(({ point }) => point))
    server.received.length = 0
    await exporter.write(batch, fixture.view)
    if (data.series.length === 0) return assert.equal(server.received.length, 0)
    await new Promise<void>((resolve, reject) =>
      theirs.export(sdkMetrics(data, RESOURCE), ({ error }) => (error ? reject(error) : resolve())),
    )
    const [ours, oracle] = server.received.map(({ body }) => decodeMetrics(body))
    assert.deepEqual(ours, oracle)
  })
  await fc.assert(property, { numRuns: 60 })
})

test('many small requests carry the points of one large one, each within its size', async t => {
  const server = await httpServer()
  t.after(server.close)
  const property = fc.asyncProperty(generated, async data => {
    const fixture = fixtureOf(data)
    const batch = fixture.batch(data.series.map(({ point }) => point))
    const given = { endpoint: `http://127.0.0.1:${server.port}`, protocol: 'http' } as const
    server.received.length = 0
    const small = await opened(t, { ...given, message_size_max: 4096 })
    await small.write(batch, fixture.view)
    const parts = server.received.splice(0).map(({ body }) => body)
    const large = await opened(t, given)
    await large.write(batch, fixture.view)
    const whole = server.received.splice(0).map(({ body }) => body)
    assert.deepEqual(metricsOf(parts), metricsOf(whole))
    assert.ok(whole.length <= 1)
    for (const part of parts) assert.ok(part.length <= 4096, `${part.length} bytes`)
  })
  await fc.assert(property, { numRuns: 40 })
})
