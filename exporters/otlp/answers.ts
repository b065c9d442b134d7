/**
 * What a server's answer means: accepted, accepted in part, try again (and when), or never.
 *
 * The rules are those of the OTLP specification (docs/specification.md of opentelemetry-proto,
 * "Failures", "OTLP/gRPC Throttling", "OTLP/HTTP Response" and "Partial Success"); the numbers
 * are gRPC's and HTTP's own.
 */
import { PermanentError, RetryableError } from '../../core/index.ts'

const GRPC_NAMES: Readonly<Record<number, string>> = {
  1: 'CANCELLED',
  2: 'UNKNOWN',
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  6: 'ALREADY_EXISTS',
  7: 'PERMISSION_DENIED',
  8: 'RESOURCE_EXHAUSTED',
  9: 'FAILED_PRECONDITION',
  10: 'ABORTED',
  11: 'OUT_OF_RANGE',
  12: 'UNIMPLEMENTED',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  15: 'DATA_LOSS',
  16: 'UNAUTHENTICATED',
}
const RESOURCE_EXHAUSTED = 8
const GRPC_RETRYABLE: ReadonlySet<number> = new Set([1, 4, 10, 11, 14, 15])
const HTTP_RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504])

/**
 * @param details the `grpc-status-details-bin` trailer: a google.rpc.Status, which may hold a
 * RetryInfo.
 */
export function grpcError(
  code: number,
  message: string,
  details: Uint8Array | undefined,
): RetryableError | PermanentError {
  const afterMs = details ? retryInfoMs(details) : undefined
  const text = `${GRPC_NAMES[code] ?? `gRPC status ${code}`}${message ? `: ${message}` : ''}`
  // A server that is merely full says when it has room again; without that it means a limit for
  // good.
  const retryable =
    GRPC_RETRYABLE.has(code) || (code === RESOURCE_EXHAUSTED && afterMs !== undefined)
  return retryable ? new RetryableError(text, afterMs) : new PermanentError(text)
}

export function httpError(
  status: number,
  body: Uint8Array,
  retryAfter: string | undefined,
  nowMs: number,
): RetryableError | PermanentError {
  const message = statusMessage(body)
  const text = `HTTP ${status}${message ? `: ${message}` : ''}`
  if (!HTTP_RETRYABLE.has(status)) return new PermanentError(text)
  return new RetryableError(text, retryAfterMs(retryAfter, nowMs))
}

/** `Retry-After` of RFC 9110 section 10.2.3, seconds or a date, as milliseconds from now. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  const value = header.trim()
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}

export interface PartialSuccess {
  /** Points or records that the server refused for good. */
  readonly rejected: number
  readonly message: string
}

/** Reads ExportMetricsServiceResponse or ExportLogsServiceResponse, which have the same shape. */
export function partialSuccess(response: Uint8Array): PartialSuccess | undefined {
  let found: PartialSuccess | undefined
  readFields(response, (field, value) => {
    if (field !== 1 || typeof value === 'number') return
    let rejected = 0
    let message = ''
    readFields(value, (inner, content) => {
      if (inner === 1 && typeof content === 'number') rejected = content
      if (inner === 2 && typeof content !== 'number') message = text(content)
    })
    if (rejected > 0 || message !== '') found = { rejected, message }
  })
  return found
}

/** `retry_delay` of the google.rpc.RetryInfo inside a google.rpc.Status. */
function retryInfoMs(status: Uint8Array): number | undefined {
  let delay: number | undefined
  readFields(status, (field, any) => {
    if (field !== 3 || typeof any === 'number') return
    let type = ''
    let payload: Uint8Array = new Uint8Array(0)
    readFields(any, (inner, value) => {
      if (typeof value === 'number') return
      if (inner === 1) type = text(value)
      if (inner === 2) payload = value
    })
    if (!type.endsWith('/google.rpc.RetryInfo')) return
    delay = 0
    readFields(payload, (inner, duration) => {
      if (inner === 1 && typeof duration !== 'number') delay = durationMs(duration)
    })
  })
  return delay
}

function durationMs(duration: Uint8Array): number {
  let seconds = 0
  let nanos = 0
  readFields(duration, (field, value) => {
    if (typeof value !== 'number') return
    if (field === 1) seconds = value
    if (field === 2) nanos = value
  })
  return Math.max(0, seconds * 1000 + nanos / 1e6)
}

/** `message` of a google.rpc.Status, or the body itself where it is short and plain. */
function statusMessage(body: Uint8Array): string {
  let message = ''
  readFields(body, (field, value) => {
    if (field === 2 && typeof value !== 'number') message = text(value)
  })
  if (message !== '') return message
  const plain = text(body.subarray(0, 200)).trim()
  return /^[\x20-\x7e]+$/.test(plain) ? plain : ''
}

/**
 * Walks the fields of a message. Varints come as numbers, length-delimited fields as bytes, fixed
 * ones not at all. A message that is cut off or is no protobuf ends the walk: answers are read,
 * never trusted.
 */
function readFields(
  bytes: Uint8Array,
  visit: (field: number, value: number | Uint8Array) => void,
): void {
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 1; at < bytes.length; shift *= 128) {
      const byte = bytes[at++]
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
    return Number.NaN
  }
  while (at < bytes.length) {
    const tag = varint()
    const field = Math.floor(tag / 8)
    switch (tag % 8) {
      case 0:
        visit(field, varint())
        break
      case 1:
        at += 8
        break
      case 2: {
        const end = varint() + at
        if (!(end <= bytes.length)) return
        visit(field, bytes.subarray(at, end))
        at = end
        break
      }
      case 5:
        at += 4
        break
      default:
        return
    }
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}
