/**
 * The agent's own metrics through the OpenTelemetry API and SDK, and the small server beside them.
 *
 * One loopback port serves /metrics (the SDK's Prometheus exporter), /healthz and /readyz. With
 * `otlp_endpoint` the same metrics are pushed by the SDK's OTLP gRPC exporter. With neither, the
 * SDK is not even loaded and `host.meter` is the API's no-op meter.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Meter } from '@opentelemetry/api'
import { metrics as api } from '@opentelemetry/api'
import { splitEndpoint } from './config/endpoint.ts'
import type { AgentInfo } from './contract.ts'
import { EnvironmentError } from './errors.ts'
import type { ServiceConfig } from './plan_types.ts'
import { type Observed, observeAgent } from './self_metrics.ts'

type MetricReaders = import('@opentelemetry/sdk-metrics').IMetricReader[]
type Handler = (request: IncomingMessage, response: ServerResponse) => void

export interface Telemetry {
  meter(name: string): Meter
  close(): Promise<void>
}

export interface Health {
  ready(): { ok: boolean; reasons: string[] }
}

/** @throws EnvironmentError when the port is taken. */
export async function startTelemetry(
  config: ServiceConfig['telemetry'],
  agent: AgentInfo,
  observed: Observed,
  health: Health,
): Promise<Telemetry> {
  if (!config.endpoint && !config.otlp_endpoint) {
    return { meter: name => api.getMeter(name), close: async () => undefined }
  }
  const { MeterProvider } = await import('@opentelemetry/sdk-metrics')
  const { resourceFromAttributes } = await import('@opentelemetry/resources')
  const readers: MetricReaders = []
  let server: Server | undefined
  if (config.endpoint) {
    const { PrometheusExporter } = await import('@opentelemetry/exporter-prometheus')
    const exporter = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true })
    readers.push(exporter)
    server = await listen(
      config.endpoint,
      (request, response) => exporter.getMetricsRequestHandler(request, response),
      health,
    )
  }
  if (config.otlp_endpoint) readers.push(await otlpReader(config))
  const resource = resourceFromAttributes({
    'service.name': 'fovea',
    'service.version': agent.version,
    'service.instance.id': agent.instanceId,
    'host.name': agent.hostName,
    ...config.resource,
  })
  const provider = new MeterProvider({ resource, readers })
  observeAgent(provider.getMeter('fovea'), agent, observed)
  return {
    meter: name => provider.getMeter(name),
    close: async () => {
      server?.close()
      server?.closeAllConnections()
      await provider.shutdown().catch(() => undefined)
    },
  }
}

async function otlpReader(config: ServiceConfig['telemetry']): Promise<MetricReaders[number]> {
  const { PeriodicExportingMetricReader } = await import('@opentelemetry/sdk-metrics')
  const { OTLPMetricExporter } = await import('@opentelemetry/exporter-metrics-otlp-grpc')
  const url = config.otlp_endpoint.includes('://')
    ? config.otlp_endpoint
    : `http://${config.otlp_endpoint}`
  return new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url }),
    exportIntervalMillis: config.otlp_interval,
    exportTimeoutMillis: Math.min(config.otlp_interval, 10_000),
  })
}

function listen(endpoint: string, metrics: Handler, health: Health): Promise<Server> {
  const { host, port } = splitEndpoint(endpoint)
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (path === '/metrics') return metrics(request, response)
    if (path === '/healthz') return answer(response, 200, 'ok')
    if (path !== '/readyz') return answer(response, 404, 'try /metrics, /healthz or /readyz')
    const { ok, reasons } = health.ready()
    return answer(response, ok ? 200 : 503, ok ? 'ready' : reasons.join('\n'))
  })
  return new Promise((resolve, reject) => {
    server.once('error', error => {
      reject(
        new EnvironmentError(
          `service.telemetry cannot listen on ${endpoint}: ${error.message}`,
          'Stop what listens there, or set service.telemetry.endpoint to another port ("": none).',
        ),
      )
    })
    server.listen(port, host, () => resolve(server))
  })
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
  response.end(`${text}\n`)
}
