/**
 * Options of the OTLP exporter. Names and meanings are the Collector's `otlp` and `otlphttp`
 * exporters', in one.
 */
import type { ConfigSpec } from '../../core/index.ts'
import { CLIENT_TLS } from '../tls.ts'

export const OPTIONS = {
  endpoint: {
    type: 'string',
    description:
      '`host:port`, `http://...` or `https://...`; for gRPC also `unix:/path`. ' +
      'Without it 127.0.0.1:4317 (grpc) or 127.0.0.1:4318 (http).',
  },
  protocol: {
    type: 'string',
    enum: ['grpc', 'http'],
    default: 'grpc',
    description: 'gRPC, or protobuf over HTTP/1.1.',
  },
  metrics_endpoint: {
    type: 'string',
    description:
      '`protocol: http` only: the whole URL for metrics, in place of endpoint/v1/metrics.',
  },
  logs_endpoint: {
    type: 'string',
    description: '`protocol: http` only: the whole URL for logs, in place of endpoint/v1/logs.',
  },
  headers: {
    type: 'map',
    values: { type: 'secret', description: 'Value of the header.' },
    default: {},
    description: 'Sent with every request, such as `authorization`.',
  },
  compression: {
    type: 'string',
    enum: ['gzip', 'zstd', 'none'],
    default: 'gzip',
    description: 'Every server takes gzip and none; the Collector takes zstd too.',
  },
  compression_params: {
    type: 'group',
    description: 'Fine-tuning of the compression.',
    properties: {
      level: {
        type: 'integer',
        minimum: 1,
        maximum: 22,
        default: 1,
        description: 'gzip 1 to 9, zstd 1 to 22: more costs more CPU.',
      },
    },
  },
  tls: {
    type: 'group',
    properties: CLIENT_TLS,
    description: 'How to trust the server and what to show it.',
  },
  temporality: {
    type: 'string',
    enum: ['cumulative', 'delta'],
    default: 'cumulative',
    description:
      'Cumulative values survive lost requests; ' +
      'deltas are what was added since the last acknowledged request.',
  },
  message_size_max: {
    type: 'size',
    minimum: '4KiB',
    maximum: '64MiB',
    default: '3584KiB',
    description: 'Largest request before compression; many servers take 4 MiB.',
  },
  resource: {
    type: 'map',
    values: { type: 'string', description: 'Value of the attribute.' },
    default: {},
    description: 'Further resource attributes, beside `service.*` and `host.name`.',
  },
} as const satisfies ConfigSpec
