/**
 * What a server's answer means, by the tables of the OTLP specification, and answers that are no
 * protobuf.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PermanentError, RetryableError } from '../../../core/errors.ts'
import {
  grpcError,
  httpError,
  partialSuccess,
  retryAfterMs,
} from '../../../exporters/otlp/answers.ts'
import { encode } from './decode.ts'

const nothing = Buffer.alloc(0)

function retryInfo(seconds: number, nanos = 0): Buffer {
  const value = encode('RetryInfo', { retry_delay: { seconds, nanos } })
  const details = [
    { type_url: 'type.googleapis.com/google.rpc.DebugInfo', value: Buffer.from([1, 2, 3]) },
    { type_url: 'type.googleapis.com/google.rpc.RetryInfo', value },
  ]
  return encode('Status', { code: 8, message: 'full', details })
}

describe('gRPC', () => {
  test('six codes may be tried again, all others may not', () => {
    const retryable = []
    for (let code = 1; code <= 16; code++) {
      const error = grpcError(code, 'x', undefined)
      if (error instanceof RetryableError) retryable.push(code)
      else assert.ok(error instanceof PermanentError)
    }
    // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
    assert.deepEqual(retryable, [1, 4, 10, 11, 14, 15])
  })

  test('a full server may be tried again only when it says when', () => {
    const told = grpcError(8, 'full', retryInfo(2, 500_000_000))
    assert.ok(told instanceof RetryableError)
    assert.equal(told.afterMs, 2500)
    assert.ok(grpcError(8, 'full', undefined) instanceof PermanentError)
    assert.ok(grpcError(8, 'full', encode('Status', { code: 8 })) instanceof PermanentError)
  })

  test('a wish for a pause is passed on with any code that may be tried again', () => {
    const error = grpcError(14, 'restarting', retryInfo(7))
    assert.ok(error instanceof RetryableError)
    assert.equal(error.afterMs, 7000)
    assert.equal(error.message, 'UNAVAILABLE: restarting')
  })

  test('a wish for a pause changes nothing where the request is wrong', () => {
    assert.ok(grpcError(3, 'bad', retryInfo(7)) instanceof PermanentError)
  })
})

describe('HTTP', () => {
  test('four codes may be tried again, all others may not', () => {
    const retryable = []
    for (let status = 300; status < 600; status++) {
      if (httpError(status, nothing, undefined, 0) instanceof RetryableError) retryable.push(status)
    }
    assert.deepEqual(retryable, [429, 502, 503, 504])
  })

  test('Retry-After is seconds or a date', () => {
    const now = Date.parse('2026-11-24T12:00:00Z')
    assert.equal(retryAfterMs('120', now), 120_000)
    assert.equal(retryAfterMs('Tue, 24 Nov 2026 12:00:30 GMT', now), 30_000)
    assert.equal(retryAfterMs('Tue, 24 Nov 2026 11:00:00 GMT', now), 0)
    assert.equal(retryAfterMs('soon', now), undefined)
    assert.equal(retryAfterMs(undefined, now), undefined)
  })

  test('the message is that of the Status, or a short plain body', () => {
    const status = encode('Status', { code: 3, message: 'no such tenant' })
    assert.equal(httpError(400, status, undefined, 0).message, 'HTTP 400: no such tenant')
    const plain = Buffer.from('upstream timed out\n')
    assert.equal(httpError(504, plain, undefined, 0).message, 'HTTP 504: upstream timed out')
    assert.equal(httpError(500, Buffer.from([0xff, 0]), undefined, 0).message, 'HTTP 500')
  })
})

describe('partial success', () => {
  test('says how many were rejected and why', () => {
    const partial_success = { rejected: 300, error_message: 'too old' }
    const answer = encode('ExportServiceResponse', { partial_success })
    assert.deepEqual(partialSuccess(answer), { rejected: 300, message: 'too old' })
  })

  test('with nothing rejected is a warning, without a message it is success', () => {
    const warning = encode('ExportServiceResponse', { partial_success: { error_message: 'slow' } })
    assert.deepEqual(partialSuccess(warning), { rejected: 0, message: 'slow' })
    assert.equal(
      partialSuccess(encode('ExportServiceResponse', { partial_success: {} })),
      undefined,
    )
    assert.equal(partialSuccess(nothing), undefined)
  })

  test('an answer that is cut off or no protobuf at all reads as success', () => {
    const partial_success = { rejected: 300, error_message: 'too old' }
    const whole = encode('ExportServiceResponse', { partial_success })
    for (let length = 0; length < whole.length; length++) partialSuccess(whole.subarray(0, length))
    assert.equal(partialSuccess(Buffer.from('<html>not found</html>')), undefined)
    assert.equal(partialSuccess(Buffer.alloc(64, 0xff)), undefined)
  })
})
