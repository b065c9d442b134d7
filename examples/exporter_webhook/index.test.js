/** The exporter against a real server: what arrives, and which answers are worth another try. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { BatchWriter } from 'fovea'
import webhook from './index.js'

function batch() {
  const columns = { time_us: 'number', source_address: 'address', source_pod: 'text' }
  const writer = new BatchWriter('flows', columns, 1)
  writer.data.time_us[0] = 7
  writer.data.source_address.set([255, 255, 10, 0, 0, 1], 10)
  writer.data.source_pod[0] = writer.textId('web-0')
  writer.length = 1
  return writer.done()
}

test('rows arrive as objects; 503 is worth another try, 403 is not', async () => {
  const requests = []
  let status = 200
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    requests.push({ authorization: request.headers.authorization, body: JSON.parse(body) })
    response.writeHead(status, { connection: 'close' }).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const counts = {}
  const host = { count: (name, n) => (counts[name] = (counts[name] ?? 0) + n) }
  const url = `http://127.0.0.1:${server.address().port}/flows`
  const exporter = webhook.open({ url, token: 'secret' }, host)
  const write = () => exporter.write(batch(), { signal: new AbortController().signal })
  await write()
  const rows = [{ time_us: 7, source_address: '10.0.0.1', source_pod: 'web-0' }]
  assert.deepEqual(requests, [{ authorization: 'Bearer secret', body: { table: 'flows', rows } }])
  status = 503
  await assert.rejects(write(), { name: 'RetryableError' })
  status = 403
  await assert.rejects(write(), { name: 'PermanentError' })
  server.close()
  await once(server, 'close')
  await assert.rejects(write(), { name: 'RetryableError' })
  exporter.close()
  await assert.rejects(write())
  assert.deepEqual(counts, { http_200: 1, http_503: 1, http_403: 1 })
})
