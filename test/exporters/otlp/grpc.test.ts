/**
 * OTLP over gRPC against real servers: which answers core may retry, what is sent again and what
 * is not.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { PermanentError, RetryableError } from '../../../core/errors.ts'
import type { SeriesBatch } from '../../../core/series.ts'
import { SeriesFixture } from '../series_fixture.ts'
import { encode, metricsOf, plain } from './decode.ts'
import { type Given, type Opened, opened } from './opened.ts'
import { grpcServer, rawGrpcServer, type TestServer } from './servers.ts'

const METRIC = {
  name: 'fovea.flow.bytes',
  description: 'Bytes.',
  unit: 'By',
  type: 'counter',
  labels: ['pod'],
} as const

interface Sender extends Opened {
  readonly fixture: SeriesFixture
  readonly batch: SeriesBatch
}

/** An exporter with `count` series of which series i has the value i. */
async function sender(
  test: TestContext,
  server: TestServer<unknown>,
  count: number,
  given: Given = {},
): Promise<Sender> {
  const fixture = new SeriesFixture([METRIC])
  for (let id = 0; id < count; id++) fixture.born(id, 0, [`pod-${id}`])
  const batch = fixture.batch(Array.from({ length: count }, (_, id) => ({ id, values: [id] })))
  const exporter = await opened(test, { endpoint: `127.0.0.1:${server.port}`, ...given })
  return { ...exporter, fixture, batch }
}

function podsOf(server: TestServer<unknown>): string[] {
  const points = metricsOf(server.received.map(({ body }) => body)).get('fovea.flow.bytes') ?? []
  return points.map(({ attributes }) => String(plain(attributes).pod))
}

describe('answers', () => {
  test('UNAVAILABLE may be retried, and the retry sends the points', async t => {
    const server = await grpcServer()
    t.after(server.close)
    server.script.push({ code: 14, message: 'restarting' })
    const { write, batch, fixture } = await sender(t, server, 3)
    await assert.rejects(write(batch, fixture.view), (error: unknown) => {
      assert.ok(error instanceof RetryableError)
      assert.equal(error.message, 'UNAVAILABLE: restarting')
      return true
    })
    await write(batch, fixture.view)
    assert.deepEqual(podsOf(server), ['pod-0', 'pod-1', 'pod-2', 'pod-0', 'pod-1', 'pod-2'])
  })

  test('RetryInfo of the server reaches core in milliseconds', async t => {
    const server = await grpcServer()
    t.after(server.close)
    const value = encode('RetryInfo', { retry_delay: { seconds: 3, nanos: 250_000_000 } })
    const info = { type_url: 'type.googleapis.com/google.rpc.RetryInfo', value }
    const details = encode('Status', { code: 8, message: 'full', details: [info] })
    server.script.push({ code: 8, message: 'full', details }, { code: 8, message: 'too large' })
    const { write, batch, fixture } = await sender(t, server, 1)
    await assert.rejects(write(batch, fixture.view), { name: 'RetryableError', afterMs: 3250 })
    await assert.rejects(write(batch, fixture.view), PermanentError)
  })

  test('what the server rejects of a request is counted and not sent again', async t => {
    const server = await grpcServer()
    t.after(server.close)
    const partial_success = { rejected: 2, error_message: 'too old' }
    server.script.push({ body: encode('ExportServiceResponse', { partial_success }) })
    const { write, batch, fixture, host } = await sender(t, server, 5)
    await write(batch, fixture.view)
    assert.equal(host.counts.get('rejected'), 2)
    assert.deepEqual(host.lines, ['the server rejected a part {"rejected":2,"message":"too old"}'])
    assert.equal(server.received.length, 1)
  })

  test('a server that is not there may be tried again', async t => {
    const server = await grpcServer()
    await server.close()
    const { write, batch, fixture } = await sender(t, server, 1)
    await assert.rejects(write(batch, fixture.view), RetryableError)
  })

  test('a server that says nothing is given up when the deadline passes', async t => {
    const server = await grpcServer()
    t.after(server.close)
    server.script.push({ silent: true })
    const { write, batch, fixture } = await sender(t, server, 1)
    const abort = new AbortController()
    const written = write(batch, fixture.view, abort.signal)
    while (server.received.length === 0) await new Promise(resolve => setImmediate(resolve))
    abort.abort()
    await assert.rejects(written, { message: 'no answer before the deadline' })
  })
})

describe('silence', () => {
  /** Writes until the server has the request, then lets the deadline pass. */
  async function unanswered(server: TestServer<unknown>, { write, batch, fixture }: Sender) {
    const before = server.received.length
    const abort = new AbortController()
    const written = write(batch, fixture.view, abort.signal)
    while (server.received.length === before) await new Promise(resolve => setImmediate(resolve))
    abort.abort()
    await assert.rejects(written, { message: 'no answer before the deadline' })
  }

  test('a connection on which nothing was answered for three requests is replaced', async t => {
    const server = await grpcServer()
    t.after(server.close)
    server.script.push({ silent: true }, { silent: true }, {}, { silent: true })
    server.script.push({ silent: true }, { silent: true })
    const exporter = await sender(t, server, 1)
    await unanswered(server, exporter)
    await unanswered(server, exporter)
    await exporter.write(exporter.batch, exporter.fixture.view)
    for (let i = 0; i < 3; i++) await unanswered(server, exporter)
    await exporter.write(exporter.batch, exporter.fixture.view)
    const connections = server.received.map(({ connection }) => connection)
    assert.equal(new Set(connections.slice(0, 6)).size, 1)
    assert.notEqual(connections[6], connections[0])
  })

  test('closing, twice, ends a request that is under way', async t => {
    const server = await grpcServer()
    t.after(server.close)
    server.script.push({ silent: true })
    const { write, batch, fixture, close } = await sender(t, server, 1)
    const written = write(batch, fixture.view)
    while (server.received.length === 0) await new Promise(resolve => setImmediate(resolve))
    await Promise.all([assert.rejects(written, RetryableError), close(), close()])
  })
})

describe('several requests', () => {
  const small = { message_size_max: 4096, compression: 'none' } as const

  test('after a failure in the middle only what was not acknowledged is sent again', async t => {
    const server = await grpcServer()
    t.after(server.close)
    server.script.push({}, {}, { code: 14 })
    const { write, batch, fixture } = await sender(t, server, 200, small)
    await assert.rejects(write(batch, fixture.view), RetryableError)
    const refused = server.received.splice(2)
    assert.equal(refused.length, 1)
    const acknowledged = podsOf(server).length
    assert.ok(acknowledged > 0 && acknowledged < 200)
    await write(batch, fixture.view)
    assert.deepEqual(
      podsOf(server),
      Array.from({ length: 200 }, (_, id) => `pod-${id}`),
    )
  })

  test('the next batch sends every series again', async t => {
    const server = await grpcServer()
    t.after(server.close)
    server.script.push({}, { code: 14 })
    const { write, batch, fixture } = await sender(t, server, 200, small)
    await assert.rejects(write(batch, fixture.view), RetryableError)
    server.received.length = 0
    await write(fixture.batch([]), fixture.view)
    assert.equal(podsOf(server).length, 200)
  })

  test('a request that is refused for good does not hold back the others', async t => {
    const server = await grpcServer()
    t.after(server.close)
    server.script.push({}, { code: 3, message: 'no' })
    const { write, batch, fixture, host } = await sender(t, server, 200, small)
    await assert.rejects(write(batch, fixture.view), PermanentError)
    assert.equal(podsOf(server).length, 200)
    const [, refused] = server.received.map(({ body }) => metricsOf([body]))
    assert.equal(host.counts.get('points_failed'), refused.get('fovea.flow.bytes')?.length)
  })

  test('series that die or are born between attempts are left out or sent', async t => {
    const server = await grpcServer()
    t.after(server.close)
    server.script.push({}, { code: 14 })
    const { write, batch, fixture } = await sender(t, server, 200, small)
    await assert.rejects(write(batch, fixture.view), RetryableError)
    server.received.splice(1)
    fixture.gone(199)
    fixture.born(200, 0, ['pod-200'])
    fixture.batch([{ id: 200, values: [1] }])
    await write(batch, fixture.view)
    const expected = Array.from({ length: 201 }, (_, id) => `pod-${id}`)
    assert.deepEqual(
      podsOf(server),
      expected.filter(pod => pod !== 'pod-199'),
    )
  })
})

describe('on the wire', () => {
  for (const compression of ['gzip', 'zstd', 'none'] as const) {
    test(`a server without our library reads compression ${compression} and is read`, async t => {
      const server = await rawGrpcServer()
      t.after(server.close)
      const { write, batch, fixture, host } = await sender(t, server, 50, { compression })
      await write(batch, fixture.view)
      assert.equal(podsOf(server).length, 50)
      assert.match(host.lines[0], /"message":"read"/)
      const expected = compression === 'none' ? undefined : compression
      assert.equal(server.received[0].headers['grpc-encoding'], expected)
      assert.match(String(server.received[0].headers['user-agent']), /^fovea\/1\.2\.3 /)
    })
  }

  test('the gRPC library at the other end takes our gzip', async t => {
    const server = await grpcServer()
    t.after(server.close)
    const { write, batch, fixture } = await sender(t, server, 50)
    await write(batch, fixture.view)
    assert.equal(podsOf(server).length, 50)
  })

  test('an unknown compression is told apart from other refusals', async t => {
    const server = await grpcServer()
    t.after(server.close)
    const { write, batch, fixture } = await sender(t, server, 1, { compression: 'zstd' })
    await assert.rejects(write(batch, fixture.view), (error: unknown) => {
      assert.ok(error instanceof PermanentError)
      assert.match(error.message, /does the server take compression: zstd\?/)
      return true
    })
  })

  for (const reply of ['reset_stream', 'drop_connection'] as const) {
    test(`after ${reply} in the middle of a message the whole message comes again`, async t => {
      const server = await rawGrpcServer()
      t.after(server.close)
      server.script.push(reply)
      const given = { compression: 'none' } as const
      const { write, batch, fixture } = await sender(t, server, 20_000, given)
      await assert.rejects(write(batch, fixture.view), RetryableError)
      assert.equal(server.received.length, 0)
      await write(batch, fixture.view)
      assert.equal(podsOf(server).length, 20_000)
    })
  }

  test('headers are sent, and one connection serves all requests', async t => {
    const server = await grpcServer()
    t.after(server.close)
    const headers = { authorization: 'Bearer secret', 'X-Tenant': 'blue' }
    const { write, batch, fixture } = await sender(t, server, 1, { headers })
    for (let i = 0; i < 3; i++) await write(batch, fixture.view)
    assert.equal(server.received[0].headers.authorization, 'Bearer secret')
    assert.equal(server.received[0].headers['x-tenant'], 'blue')
    assert.equal(new Set(server.received.map(({ connection }) => connection)).size, 1)
  })
})
