/**
 * Endpoints in the forms that people write, and whether TLS is spoken to them.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../../../core/errors.ts'
import { parseEndpoint } from '../../../exporters/otlp/endpoint.ts'
import { tlsOf } from './opened.ts'

const none = tlsOf({})!

test('gRPC takes host:port with and without a scheme', () => {
  const grpc = (endpoint?: string, tls = none) => {
    const { target, secure } = parseEndpoint(endpoint, 'grpc', tls)
    return `${target} ${secure ? 'tls' : 'plain'}`
  }
  assert.equal(grpc(), '127.0.0.1:4317 plain')
  assert.equal(grpc('127.0.0.1:4317'), '127.0.0.1:4317 plain')
  assert.equal(grpc('localhost:9'), 'localhost:9 plain')
  assert.equal(grpc('[::1]:4317'), '[::1]:4317 plain')
  assert.equal(grpc('collector'), 'collector:4317 tls')
  assert.equal(grpc('collector.monitoring:4317'), 'collector.monitoring:4317 tls')
  assert.equal(grpc('collector:4317', tlsOf({ insecure: true })), 'collector:4317 plain')
  assert.equal(grpc('127.0.0.1:4317', tlsOf({ insecure: false })), '127.0.0.1:4317 tls')
  assert.equal(grpc('127.0.0.1:4317', tlsOf({ ca_file: 'ca.pem' })), '127.0.0.1:4317 tls')
  assert.equal(grpc('http://collector:4317'), 'collector:4317 plain')
  assert.equal(grpc('http://collector'), 'collector:4317 plain')
  assert.equal(grpc('https://collector:4317/'), 'collector:4317 tls')
  assert.equal(grpc('https://otlp.example.com'), 'otlp.example.com:443 tls')
  assert.equal(grpc('http://collector:80'), 'collector:80 plain')
  assert.equal(grpc('unix:/run/otlp.sock'), 'unix:/run/otlp.sock plain')
})

test('HTTP keeps the path of a URL', () => {
  const http = (endpoint?: string) => parseEndpoint(endpoint, 'http', none).url
  assert.equal(http(), 'http://127.0.0.1:4318')
  assert.equal(http('collector:4318'), 'https://collector:4318')
  assert.equal(http('http://collector:4318/'), 'http://collector:4318')
  assert.equal(http('https://example.com/otlp/'), 'https://example.com:443/otlp')
  assert.equal(http('http://[::1]:4318/a/b'), 'http://[::1]:4318/a/b')
})

test('a mistake is a sentence that names the option', () => {
  const mistake = (endpoint: string, protocol: 'grpc' | 'http', tls = none) => {
    try {
      parseEndpoint(endpoint, protocol, tls)
    } catch (error) {
      assert.ok(error instanceof ConfigError)
      return error.message
    }
    return 'no mistake'
  }
  assert.equal(
    mistake('ftp://collector', 'grpc'),
    'endpoint: "ftp://collector" is neither host:port nor an http:// or https:// URL',
  )
  assert.equal(
    mistake('collector:99999', 'grpc'),
    'endpoint: "collector:99999" is neither host:port nor an http:// or https:// URL',
  )
  assert.equal(
    mistake('http://collector:4318/v1/metrics', 'grpc'),
    'endpoint: "http://collector:4318/v1/metrics" has a path, which gRPC has not; ' +
      'is protocol: http meant?',
  )
  assert.equal(
    mistake('http://collector', 'http', tlsOf({ ca_file: 'ca.pem' })),
    'endpoint: http:// means no TLS, but tls asks for it; write https://',
  )
  assert.equal(
    mistake('https://collector', 'http', tlsOf({ insecure: true })),
    'tls.insecure: means no TLS, but the endpoint begins with https://',
  )
})
