/**
 * Posts each batch as JSON to a URL of yours. The smallest exporter that a queue can trust: what
 * may succeed later is a RetryableError, what never will is a PermanentError, the deadline is kept.
 */
import { defineExporter, PermanentError, RetryableError } from 'fovea'

/** Rows as objects: fine for a few hundred rows a second, too slow for every flow of a node. */
function rowsOf({ columns, data, text, length }) {
  const cell = (name, row) => {
    if (columns[name] === 'address') return addressText(data[name].slice(16 * row, 16 * row + 16))
    return columns[name] === 'text' ? text[data[name][row]] : data[name][row]
  }
  const names = Object.keys(columns).filter(name => columns[name] !== 'bytes')
  const rows = Array.from({ length }, (_, row) => names.map(name => [name, cell(name, row)]))
  return rows.map(cells => Object.fromEntries(cells))
}

function addressText(bytes) {
  const hex = Buffer.from(bytes).toString('hex')
  if (hex.startsWith('00000000000000000000ffff')) return bytes.subarray(12).join('.')
  return hex.match(/.{4}/g).join(':')
}

export default defineExporter({
  type: 'webhook',
  summary: 'Posts rows as JSON to a URL',
  stability: 'beta',
  config: {
    url: { type: 'string', required: true, pattern: '^https?://', description: 'Where to post.' },
    token: { type: 'secret', description: 'Sent as `Authorization: Bearer`.' },
  },
  needs: {},
  open(config, host) {
    const closed = new AbortController()
    const headers = { 'content-type': 'application/json' }
    if (config.token) headers.authorization = `Bearer ${config.token}`
    return {
      async write(batch, { signal }) {
        const body = JSON.stringify({ table: batch.table, rows: rowsOf(batch) })
        const either = AbortSignal.any([signal, closed.signal])
        const options = { method: 'POST', headers, body, signal: either }
        const response = await fetch(config.url, options).catch(error => {
          throw new RetryableError(`${config.url}: ${error.cause?.message ?? error.message}`)
        })
        await response.body?.cancel()
        host.count(`http_${response.status}`, 1)
        if (response.ok) return
        const message = `${config.url} answered ${response.status}`
        const later = response.status === 429 || response.status >= 500
        throw later ? new RetryableError(message) : new PermanentError(message)
      },
      close: () => closed.abort(),
    }
  },
})
