/**
 * The endpoint against real clients: who may scrape, what slow, vanished and many scrapers do to
 * each other, TLS in both directions, and ports that cannot be had.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { ConfigError, EnvironmentError } from '../../../core/errors.ts'
import { makeCertificates } from '../certificates.ts'
import { SeriesFixture } from '../series_fixture.ts'
import { type Given, type Opened, opened, parse } from './opened.ts'

/** So many series that a scrape does not fit into the sockets' buffers. */
const MANY = 100_000

async function filled(test: TestContext, count: number, given: Given = {}): Promise<Opened> {
  const exporter = await opened(test, given)
  const labels = ['source.k8s.namespace.name', 'source.k8s.workload.name']
  const fixture = new SeriesFixture([
    { name: 'fovea.flow.bytes', description: 'Bytes.', unit: 'By', type: 'counter', labels },
  ])
  for (let id = 0; id < count; id++) fixture.born(id, 0, [`namespace-${id % 9}`, `workload-${id}`])
  const points = Array.from({ length: count }, (_, id) => ({ id, values: [id * 1000] }))
  await exporter.write(fixture.batch(points), fixture.view)
  return exporter
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    assert.ok(Date.now() < deadline, 'waited for ten seconds')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** A scraper that asks and then reads nothing. */
async function stalled(url: string, test: TestContext): Promise<net.Socket> {
  const { port, pathname } = new URL(url)
  const socket = net.connect(Number(port), '127.0.0.1')
  test.after(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.pause()
  socket.write(`GET ${pathname} HTTP/1.1\r\nhost: x\r\n\r\n`)
  return socket
}

test('a compressed scrape says what a plain one says', async t => {
  const { url } = await filled(t, 2000)
  const fetched = async (encoding: string) => {
    const request = http.get(url, { headers: { 'accept-encoding': encoding } })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    const body = Buffer.concat(await response.toArray())
    return { headers: response.headers, body }
  }
  const plain = await fetched('identity')
  const packed = await fetched('gzip')
  assert.equal(plain.headers['content-encoding'], undefined)
  assert.equal(packed.headers['content-encoding'], 'gzip')
  assert.equal(plain.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  assert.ok(packed.body.length < plain.body.length / 5)
  assert.deepEqual(gunzipSync(packed.body), plain.body)
  assert.equal(parse(plain.body.toString()).length, 2001)
})

test('other paths and methods are answered, HEAD without a body', async t => {
  const { url } = await filled(t, 1, { path: '/m' })
  assert.ok(url.endsWith('/m'))
  assert.equal((await fetch(`${url}?x=1`)).status, 200)
  const missing = await fetch(url.replace('/m', '/metrics'))
  assert.equal(missing.status, 404)
  assert.equal(await missing.text(), 'Nothing here. Metrics are at /m\n')
  const posted = await fetch(url, { method: 'POST', body: 'x' })
  assert.equal(posted.status, 405)
  assert.equal(posted.headers.get('allow'), 'GET, HEAD')
  const head = await fetch(url, { method: 'HEAD' })
  assert.equal(head.status, 200)
  assert.equal(await head.text(), '')
})

test('with a bearer token nobody else gets in', async t => {
  const { url, host } = await filled(t, 1, { bearer_token: 's3cret' })
  const status = async (authorization?: string) =>
    (await fetch(url, authorization ? { headers: { authorization } } : {})).status
  assert.equal(await status('Bearer s3cret'), 200)
  assert.equal(await status('bearer s3cret'), 200)
  for (const wrong of [undefined, 'Bearer', 'Bearer s3cre', 'Bearer s3crett', 'Basic s3cret']) {
    assert.equal(await status(wrong), 401)
  }
  assert.equal(host.counts.get('scrapes_unauthorized'), 5)
})

test('a scraper that reads nothing disturbs nobody, one too many must come again', async t => {
  const { url, host } = await filled(t, MANY, { scrapes_max: 3 })
  const sockets = [await stalled(url, t), await stalled(url, t)]
  assert.equal((await (await fetch(url)).text()).length > 5e6, true)
  sockets.push(await stalled(url, t))
  const deadline = Date.now() + 10_000
  let refused = await fetch(url, { method: 'HEAD' })
  while (refused.status !== 503 && Date.now() < deadline) {
    refused = await fetch(url, { method: 'HEAD' })
  }
  assert.equal(refused.status, 503)
  assert.equal(refused.headers.get('retry-after'), '1')
  for (const socket of sockets) socket.destroy()
  await until(() => (host.counts.get('scrapes_aborted') ?? 0) >= 3)
  assert.equal((await fetch(url)).status, 200)
})

test('a scraper that has not taken everything in time is cut off', async t => {
  const { url, host } = await filled(t, MANY, { scrape_timeout: 50 })
  const socket = await stalled(url, t)
  await until(() => host.counts.get('scrape_timeouts') === 1)
  socket.resume()
  await once(socket, 'close')
})

test('scrapers that go away in the middle leave the endpoint as it was', async t => {
  const { url, host } = await filled(t, MANY)
  const expected = await (await fetch(url)).text()
  for (let i = 1; i <= 10; i++) {
    const socket = await stalled(url, t)
    socket.once('data', () => socket.destroy())
    socket.resume()
    await until(() => (host.counts.get('scrapes_aborted') ?? 0) >= i)
  }
  const texts = await Promise.all(Array.from({ length: 4 }, async () => (await fetch(url)).text()))
  for (const text of texts) assert.ok(text === expected)
})

test('https, with and without a certificate of the scraper', async t => {
  const files = makeCertificates()
  t.after(files.remove)
  const tls = { cert_file: files.serverCert, key_file: files.serverKey, client_ca_file: undefined }
  const get = async (url: string, options: https.RequestOptions) => {
    const request = https.get(url, { ca: readFileSync(files.ca), ...options })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    return parse(Buffer.concat(await response.toArray()).toString())
  }
  const open = await filled(t, 3, { tls })
  assert.ok(open.url.startsWith('https://127.0.0.1:'))
  assert.equal((await get(open.url, {})).length, 4)
  const closed = await filled(t, 3, { tls: { ...tls, client_ca_file: files.ca } })
  await assert.rejects(get(closed.url, {}))
  const own = { cert: readFileSync(files.clientCert), key: readFileSync(files.clientKey) }
  assert.equal((await get(closed.url, own)).length, 4)
})

test('a port taken, an address not ours and a bad endpoint are sentences', async t => {
  const { url } = await opened(t)
  const { port } = new URL(url)
  const failure = async (endpoint: string) =>
    opened(t, { endpoint }).then(
      () => assert.fail('it listens'),
      (error: unknown) => error,
    )
  const taken = await failure(`127.0.0.1:${port}`)
  assert.ok(taken instanceof EnvironmentError)
  assert.equal(taken.message, `cannot listen on 127.0.0.1:${port}: another process listens there`)
  assert.equal(taken.remedy, `See which with "ss -ltnp sport = :${port}", or set another endpoint.`)
  const foreign = await failure('192.0.2.1:9464')
  assert.ok(foreign instanceof EnvironmentError)
  assert.equal(
    foreign.message,
    'cannot listen on 192.0.2.1:9464: this host has no address 192.0.2.1',
  )
  const mistake = await failure('9464')
  assert.ok(mistake instanceof ConfigError)
  assert.match(mistake.message, /^endpoint: "9464" is not an address to listen on/)
})

test('closing twice is safe, ends scrapes and frees the port', async t => {
  const exporter = await filled(t, MANY)
  await stalled(exporter.url, t)
  await Promise.all([exporter.close(), exporter.close()])
  const server = net.createServer().listen(Number(new URL(exporter.url).port), '127.0.0.1')
  await once(server, 'listening')
  server.close()
})
