/**
 * One measurement of an exporter in a process of its own, so that neither side's garbage,
 * compiled code or peak memory is in the other's figure. Called by `exporters.ts` with the name
 * of a measurement.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import * as grpc from '@grpc/grpc-js'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc'
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { Envelope } from '../../exporters/otlp/envelope.ts'
import otlp from '../../exporters/otlp/index.ts'
import { MetricRequests } from '../../exporters/otlp/metrics.ts'
import { ProtoWriter } from '../../exporters/otlp/proto_writer.ts'
import { CHUNK_BYTES, Exposition } from '../../exporters/prometheus/exposition.ts'
import { Families } from '../../exporters/prometheus/families.ts'
import { fixtureOf, type Generated, RESOURCE, sdkMetrics } from '../exporters/sdk_metrics.ts'
import { configOf, testHost } from '../exporters/series_fixture.ts'

const [count, what, port, compression, level] = process.argv.slice(2)
const SERIES = Number(count)
const MESSAGE_POINTS = 8192
const ROUNDS = 9

/** A result: what the measurement yields, by name. */
export type Measured = Readonly<Record<string, number>>

/** Counters with 8 labels, as a flow aggregation of a large cluster has them. */
function manySeries(): Generated {
  const ends = ['source', 'destination']
  const labels = [
    ...ends.flatMap(end => [`${end}.k8s.namespace.name`, `${end}.k8s.workload.name`]),
    ...ends.map(end => `${end}.cloud.availability_zone`),
    'network.transport',
    'network.io.direction',
  ]
  const name = 'fovea.flow.io'
  const metric = { name, description: 'Bytes.', unit: 'By', type: 'counter', labels } as const
  const series = Array.from({ length: SERIES }, (_, id) => ({
    metric: 0,
    labels: [
      `namespace-${id % 53}`,
      `workload-${id % 1009}`,
      `namespace-${id % 47}`,
      `workload-${(id * 7) % 997}-${id}`,
      `zone-${id % 3}`,
      `zone-${id % 2}`,
      id % 5 ? 'tcp' : 'udp',
      id % 2 ? 'receive' : 'transmit',
    ],
    point: { id, values: [(id * 7919 * 104_729) % 1e12], startUs: 1.7e15, timeUs: 1.7e15 + 15e6 },
  }))
  return { metrics: [metric], series }
}

/** Middle of several rounds, milliseconds. */
function medianMs(work: () => void): number {
  for (let i = 0; i < 3; i++) work()
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now()
    work()
    return performance.now() - start
  })
  return times.sort((a, b) => a - b)[ROUNDS >> 1]
}

/**
 * How much higher the resident memory rose during `work` than it stood before, bytes. Linux only.
 */
function extraMemory(work: () => void): number {
  const status = (field: string) => {
    const text = readFileSync('/proc/self/status', 'latin1')
    return 1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1])
  }
  globalThis.gc?.()
  writeFileSync('/proc/self/clear_refs', '5')
  const before = status('VmRSS')
  work()
  return Math.max(0, status('VmHWM') - before)
}

function prometheusOurs(): Measured {
  const data = manySeries()
  const fixture = fixtureOf(data)
  fixture.batch(data.series.map(({ point }) => point))
  const families = new Families(
    [],
    () => {},
    () => {},
  )
  families.add(fixture.view)
  families.refresh()
  const out = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  const options = { format: 'text', created: false, target: '' } as const
  let bytes = 0
  const scrape = () => {
    families.refresh()
    bytes = 0
    for (const chunk of new Exposition(families.list, options, out).chunks()) bytes += chunk.length
  }
  const ms = medianMs(scrape)
  return { ms, bytes, extra: extraMemory(scrape) }
}

function prometheusSdk(): Measured {
  const data = sdkMetrics(manySeries(), RESOURCE)
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, true)
  let bytes = 0
  const scrape = () => {
    bytes = Buffer.from(serializer.serialize(data)).length
  }
  const ms = medianMs(scrape)
  return { ms, bytes, extra: extraMemory(scrape) }
}

function encodeOurs(): Measured {
  const data = manySeries()
  const fixture = fixtureOf(data)
  fixture.batch(data.series.map(({ point }) => point))
  const envelope = new Envelope(testHost(), {})
  const options = { sizeMax: 3584 << 10, temporality: 'cumulative' } as const
  const requests = new MetricRequests(fixture.view, envelope, new ProtoWriter(1024), options)
  let bytes = 0
  const ms = medianMs(() => {
    requests.begin(false)
    bytes = 0
    for (let message = requests.next(); message; message = requests.next()) {
      bytes += message.length
      requests.acknowledge()
    }
  })
  return { ns: (ms * 1e6) / SERIES, bytes }
}

function encodeSdk(): Measured {
  const data = sdkMetrics(manySeries(), RESOURCE)
  let bytes = 0
  const ms = medianMs(() => {
    bytes = ProtobufMetricsSerializer.serializeRequest(data)?.length ?? 0
  })
  return { ns: (ms * 1e6) / SERIES, bytes }
}

/** CPU of this whole process for one export, ns a point: threads, garbage collection and all. */
async function cpuOf(exportAll: () => Promise<void>): Promise<Measured> {
  for (let i = 0; i < 3; i++) await exportAll()
  const exports = 5
  const before = process.cpuUsage()
  for (let i = 0; i < exports; i++) await exportAll()
  const { user, system } = process.cpuUsage(before)
  return { ns: ((user + system) * 1000) / (exports * SERIES) }
}

async function grpcOurs(): Promise<Measured> {
  const data = manySeries()
  const fixture = fixtureOf(data)
  const batch = fixture.batch(data.series.map(({ point }) => point))
  const { bytes } = encodeOurs()
  const host = testHost()
  const config = configOf(otlp.config, {
    endpoint: `127.0.0.1:${port}`,
    compression,
    compression_params: { level: Number(level) },
    message_size_max: Math.ceil((bytes / SERIES) * MESSAGE_POINTS),
  })
  const exporter = await otlp.open(config, host)
  const { signal } = host
  const series = fixture.view
  const measured = await cpuOf(async () => exporter.write(batch, { signal, series }))
  await exporter.close()
  return { ...measured, points: (SERIES * 8) / (host.counts.get('requests') ?? 0) }
}

async function grpcSdk(): Promise<Measured> {
  const data = manySeries()
  const parts: ResourceMetrics[] = []
  for (let at = 0; at < SERIES; at += MESSAGE_POINTS) {
    const series = data.series.slice(at, at + MESSAGE_POINTS)
    parts.push(sdkMetrics({ ...data, series }, RESOURCE))
  }
  const exporter = new OTLPMetricExporter({
    url: `http://127.0.0.1:${port}`,
    compression: compression as OtlpCompression,
  })
  const send = (part: ResourceMetrics) =>
    new Promise<void>((resolve, reject) =>
      exporter.export(part, ({ error }) => (error ? reject(error) : resolve())),
    )
  const measured = await cpuOf(async () => {
    for (const part of parts) await send(part)
  })
  await exporter.shutdown()
  return measured
}

type OtlpCompression = NonNullable<
  ConstructorParameters<typeof OTLPMetricExporter>[0]
>['compression']

/** Takes and forgets everything until it is killed; prints its port. */
function receive(): void {
  const same = (bytes: Buffer) => bytes
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 })
  const method = {
    path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  } as const
  const answer: grpc.handleUnaryCall<Buffer, Buffer> = (_, done) => done(null, Buffer.alloc(0))
  server.addService({ export: method }, { export: answer })
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error
    console.log(port)
  })
}

const measurements: Readonly<Record<string, () => Measured | Promise<Measured>>> = {
  prometheusOurs,
  prometheusSdk,
  encodeOurs,
  encodeSdk,
  grpcOurs,
  grpcSdk,
}
if (what === 'receive') receive()
else console.log(JSON.stringify(await measurements[what]()))
