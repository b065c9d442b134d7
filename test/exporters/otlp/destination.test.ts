/**
 * What is wrong with a destination is said when the configuration is checked, before anything
 * starts.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../../../core/errors.ts'
import { destinationOf } from '../../../exporters/otlp/destination.ts'
import otlp from '../../../exporters/otlp/index.ts'
import { configOf } from '../series_fixture.ts'
import type { Given } from './opened.ts'

function mistake(given: Given): string {
  try {
    destinationOf(configOf(otlp.config, given))
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message
  }
  return 'no mistake'
}

test('a header that no request can carry is a mistake, and its value stays secret', () => {
  const value = 'headers.a: a header carries printable ASCII only, no line breaks'
  assert.equal(mistake({ headers: { a: 'Bearer tökén' } }), value)
  assert.equal(mistake({ headers: { a: 'b\nc' }, protocol: 'http' }), value)
  assert.equal(
    mistake({ headers: { 'x y': 'z' } }),
    'headers.x y: "x y" cannot be the name of a header: letters, digits, - and _ can',
  )
  assert.equal(
    mistake({ headers: { 'trace-bin': 'z' } }),
    'headers.trace-bin: to gRPC a name that ends in -bin means raw bytes, which cannot be ' +
      'written here',
  )
  assert.equal(mistake({ headers: { 'trace-bin': 'z' }, protocol: 'http' }), 'no mistake')
  assert.equal(mistake({ headers: { Authorization: 'Bearer a.b-c~d' } }), 'no mistake')
})

test('endpoints and levels of compression are checked with it', () => {
  assert.equal(
    mistake({ endpoint: 'ftp://a' }),
    'endpoint: "ftp://a" is neither host:port nor an http:// or https:// URL',
  )
  assert.equal(
    mistake({ protocol: 'http', logs_endpoint: 'collector/v1/logs' }),
    'logs_endpoint: "collector/v1/logs" is not an http:// or https:// URL',
  )
  assert.equal(
    mistake({ compression_params: { level: 12 } }),
    'compression_params.level: gzip has levels 1 to 9',
  )
  assert.equal(mistake({ compression: 'zstd', compression_params: { level: 12 } }), 'no mistake')
  assert.equal(mistake({ endpoint: 'unix:/run/collector.sock' }), 'no mistake')
})

test('the check of the configuration asks for it', () => {
  const { needs } = otlp
  assert.ok(typeof needs === 'function')
  assert.throws(() => needs(configOf(otlp.config, { endpoint: 'ftp://a' })), ConfigError)
})
