/**
 * OTLP requests read back with protobufjs: what a server would see, independent of our encoder.
 */
import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'

const { root } = protobuf.parse(readFileSync(new URL('otlp.proto', import.meta.url), 'utf8'), {
  keepCase: true,
})

interface AnyValue {
  readonly string_value?: string
  readonly int_value?: string
  readonly double_value?: number
  readonly array_value?: { readonly values: readonly AnyValue[] }
  readonly bytes_value?: string
}
interface KeyValue {
  readonly key: string
  readonly value: AnyValue
}
export interface DecodedPoint {
  readonly attributes: readonly KeyValue[]
  readonly start_time_unix_nano: string
  readonly time_unix_nano: string
  readonly as_int?: string
  readonly as_double?: number
  readonly count?: string
  readonly sum?: number
  readonly bucket_counts?: readonly string[]
  readonly explicit_bounds?: readonly number[]
}
interface Points {
  readonly data_points: readonly DecodedPoint[]
  readonly aggregation_temporality?: number
  readonly is_monotonic?: boolean
}
export interface DecodedMetric {
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly gauge?: Points
  readonly sum?: Points
  readonly histogram?: Points
}
interface Scoped {
  readonly scope: { readonly name: string; readonly version: string }
}
interface Resourced {
  readonly resource: { readonly attributes: readonly KeyValue[] }
}
export interface MetricsRequest {
  readonly resource_metrics: readonly (Resourced & {
    readonly scope_metrics: readonly (Scoped & { readonly metrics: readonly DecodedMetric[] })[]
  })[]
}
export interface DecodedRecord {
  readonly time_unix_nano: string
  readonly observed_time_unix_nano: string
  readonly event_name: string
  readonly body?: AnyValue
  readonly attributes: readonly KeyValue[]
}
export interface LogsRequest {
  readonly resource_logs: readonly (Resourced & {
    readonly scope_logs: readonly (Scoped & { readonly log_records: readonly DecodedRecord[] })[]
  })[]
}

export function decodeMetrics(bytes: Uint8Array): MetricsRequest {
  return decode('ExportMetricsServiceRequest', bytes) as MetricsRequest
}
export function decodeLogs(bytes: Uint8Array): LogsRequest {
  return decode('ExportLogsServiceRequest', bytes) as LogsRequest
}

/** 64-bit numbers come as decimal text, so that nothing is rounded. */
function decode(type: string, bytes: Uint8Array): unknown {
  const message = root.lookupType(`otlp.${type}`)
  const options = { longs: String, bytes: String, arrays: true, defaults: true, oneofs: false }
  return message.toObject(message.decode(bytes), options)
}

/** Bytes of a message that a server sends. */
export function encode(type: string, value: Record<string, unknown>): Buffer {
  const message = root.lookupType(`otlp.${type}`)
  return Buffer.from(message.encode(message.fromObject(value)).finish())
}

/** All metrics of several requests, points of one name together. */
export function metricsOf(requests: readonly Uint8Array[]): Map<string, DecodedPoint[]> {
  const found = new Map<string, DecodedPoint[]>()
  for (const bytes of requests) {
    for (const metric of decodeMetrics(bytes).resource_metrics[0].scope_metrics[0].metrics) {
      const { data_points } = (metric.gauge ?? metric.sum ?? metric.histogram) as Points
      found.set(metric.name, [...(found.get(metric.name) ?? []), ...data_points])
    }
  }
  return found
}

export function recordsOf(requests: readonly Uint8Array[]): DecodedRecord[] {
  return requests.flatMap(bytes => [
    ...decodeLogs(bytes).resource_logs[0].scope_logs[0].log_records,
  ])
}

/** Attributes as plain values: texts, numbers and lists of them; integers as bigint. */
export function plain(attributes: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plainValue(value)]))
}

function plainValue(value: AnyValue): unknown {
  if (value.int_value !== undefined) return BigInt(value.int_value)
  if (value.array_value) return value.array_value.values.map(plainValue)
  if (value.bytes_value !== undefined) return Buffer.from(value.bytes_value, 'base64')
  return value.string_value ?? value.double_value
}
