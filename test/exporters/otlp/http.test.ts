/**
 * OTLP over HTTP against real servers: paths and headers, which answers core may retry,
 * connections.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { PermanentError, RetryableError } from '../../../core/errors.ts'
import { SeriesFixture } from '../series_fixture.ts'
import { encode, metricsOf } from './decode.ts'
import { type Given, opened } from './opened.ts'
import { httpServer } from './servers.ts'

const METRIC = { name: 'm', description: '', unit: 's', type: 'gauge', labels: [] } as const

async function start(test: TestContext, given: (port: number) => Given = () => ({})) {
  const server = await httpServer()
  test.after(server.close)
  const fixture = new SeriesFixture([METRIC])
  fixture.born(0, 0, [])
  const batch = fixture.batch([{ id: 0, values: [0.25] }])
  const exporter = await opened(test, {
    protocol: 'http',
    endpoint: `127.0.0.1:${server.port}`,
    ...given(server.port),
  })
  const { host, close } = exporter
  return { server, host, close, write: () => exporter.write(batch, fixture.view) }
}

for (const compression of ['gzip', 'zstd', 'none'] as const) {
  test(`requests are protobuf by POST, with compression ${compression}`, async t => {
    const { server, write } = await start(t, () => ({ compression, headers: { 'x-tenant': 'a' } }))
    await write()
    const [{ headers, body }] = server.received
    assert.equal(headers[':path'], '/v1/metrics')
    assert.equal(headers['content-type'], 'application/x-protobuf')
    assert.equal(headers['content-encoding'], compression === 'none' ? undefined : compression)
    assert.equal(headers['user-agent'], 'fovea/1.2.3')
    assert.equal(headers['x-tenant'], 'a')
    assert.equal(metricsOf([body]).get('m')?.[0].as_double, 0.25)
  })
}

test('a path in the endpoint comes before /v1, a metrics_endpoint is taken as it is', async t => {
  const path = await start(t, port => ({ endpoint: `http://127.0.0.1:${port}/otlp/` }))
  await path.write()
  assert.equal(path.server.received[0].headers[':path'], '/otlp/v1/metrics')
  const whole = await start(t, port => ({
    metrics_endpoint: `http://127.0.0.1:${port}/in/metrics`,
  }))
  await whole.write()
  assert.equal(whole.server.received[0].headers[':path'], '/in/metrics')
})

test('a throttled request waits as long as Retry-After says', async t => {
  const { server, write } = await start(t)
  server.script.push({ status: 429, headers: { 'retry-after': '17' } })
  await assert.rejects(write(), { name: 'RetryableError', afterMs: 17_000 })
  const date = new Date(Date.now() + 60_000).toUTCString()
  server.script.push({ status: 503, headers: { 'retry-after': date } })
  await assert.rejects(write(), (error: unknown) => {
    assert.ok(error instanceof RetryableError && error.afterMs !== undefined)
    assert.ok(error.afterMs > 50_000 && error.afterMs <= 60_000, `${error.afterMs} ms`)
    return true
  })
})

test('a request that the server will never take is permanent, with the reason it gave', async t => {
  const { server, write } = await start(t)
  server.script.push({
    status: 400,
    body: encode('Status', { code: 3, message: 'no such tenant' }),
  })
  await assert.rejects(write(), new PermanentError('HTTP 400: no such tenant'))
  server.script.push({ status: 404, body: 'not found' })
  await assert.rejects(write(), new PermanentError('HTTP 404: not found'))
})

test('partial success is counted', async t => {
  const { server, write, host } = await start(t)
  const partial_success = { rejected: 1, error_message: 'old' }
  server.script.push({ body: encode('ExportServiceResponse', { partial_success }) })
  await write()
  assert.equal(host.counts.get('rejected'), 1)
})

test('a connection that breaks in the middle of the message may be tried again', async t => {
  const { server, write } = await start(t)
  server.script.push({ drop: 'middle' })
  await assert.rejects(write(), RetryableError)
  await write()
  assert.equal(server.received.length, 1)
})

test('one connection serves all requests, and is replaced at once when it was closed', async t => {
  const { server, write } = await start(t)
  for (let i = 0; i < 3; i++) await write()
  assert.equal(new Set(server.received.map(({ connection }) => connection)).size, 1)
  server.script.push({ drop: 'after' })
  await write()
  const connections = server.received.map(({ connection }) => connection)
  assert.equal(connections.length, 5)
  assert.notEqual(connections[4], connections[3])
})

test('closing, twice, ends a request that is under way', async t => {
  const { server, write, close } = await start(t)
  server.script.push({ silent: true })
  const written = write()
  while (server.received.length === 0) await new Promise(resolve => setImmediate(resolve))
  await Promise.all([assert.rejects(written, RetryableError), close(), close()])
})

test('a server that says nothing is given up when the deadline passes', async t => {
  const server = await httpServer()
  t.after(server.close)
  server.script.push({ silent: true })
  const fixture = new SeriesFixture([METRIC])
  fixture.born(0, 0, [])
  const { write } = await opened(t, { protocol: 'http', endpoint: `127.0.0.1:${server.port}` })
  const abort = new AbortController()
  const written = write(fixture.batch([{ id: 0, values: [1] }]), fixture.view, abort.signal)
  while (server.received.length === 0) await new Promise(resolve => setImmediate(resolve))
  abort.abort()
  await assert.rejects(written, { message: 'no answer before the deadline' })
})
