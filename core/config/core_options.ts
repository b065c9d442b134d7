/**
 * The options that core gives to every receiver and exporter, and those of `service`: stated in the
 * same form as a component's own. Names and defaults are the OpenTelemetry Collector's wherever it
 * has them.
 */
import type { ConfigSpec } from '../config_spec.ts'
import type { QueueConfig, RetryConfig, ServiceConfig } from '../plan_types.ts'
import { parseSize, sizeMistake } from './units.ts'

export const RECEIVER_OPTIONS = {
  required: {
    type: 'boolean',
    default: false,
    description: 'The agent does not start when this receiver cannot open.',
  },
} as const satisfies ConfigSpec

export const EXPORTER_OPTIONS = {
  sending_queue: {
    type: 'group',
    description: 'The bounded queue before this exporter.',
    properties: {
      sizer: {
        type: 'string',
        enum: ['bytes', 'items', 'requests'],
        default: 'bytes',
        description: 'What the queue is measured in: bytes, rows or batches.',
      },
      queue_size: {
        type: 'json',
        schema: { type: ['string', 'integer'] },
        description:
          'Room, in what the sizer says: 16MiB, or a number of items (100000) or requests (1000).',
      },
      overflow: {
        type: 'string',
        enum: ['drop_oldest', 'drop_newest', 'block'],
        default: 'drop_oldest',
        description: 'What gives way when the queue is full.',
      },
    },
  },
  retry_on_failure: {
    type: 'group',
    description: 'What happens to a batch that may succeed later.',
    properties: {
      enabled: { type: 'boolean', default: true, description: 'Try again at all.' },
      initial_interval: {
        type: 'duration',
        default: '5s',
        description: 'Pause before the second attempt.',
      },
      max_interval: { type: 'duration', default: '30s', description: 'Longest pause.' },
      max_elapsed_time: {
        type: 'duration',
        default: '300s',
        description: 'A batch older than this is given up; 0 never.',
      },
      multiplier: {
        type: 'number',
        minimum: 1,
        default: 1.5,
        description: 'By how much each pause is longer than the last.',
      },
      randomization_factor: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        default: 0.5,
        description: 'Share of a pause that chance decides.',
      },
    },
  },
  timeout: {
    type: 'duration',
    default: '5s',
    description: 'Deadline of one attempt; 0 none.',
  },
} as const satisfies ConfigSpec

const IDS = { type: 'string', description: 'A component id.' } as const

export const SERVICE_OPTIONS = {
  pipelines: {
    type: 'map',
    description: 'Pipelines by name.',
    default: {},
    values: {
      type: 'group',
      description: 'One pipeline.',
      properties: {
        receivers: {
          type: 'list',
          items: IDS,
          default: [],
          description: 'Receivers, and other pipelines as pipeline/NAME.',
        },
        processors: { type: 'list', items: IDS, default: [], description: 'Processors, in order.' },
        exporters: { type: 'list', items: IDS, default: [], description: 'Exporters.' },
        worker: {
          type: 'string',
          pattern: '^[a-z][a-z0-9_]*$',
          default: 'default',
          description: 'Worker thread of its processors; pipelines with the same name share one.',
        },
      },
    },
  },
  telemetry: {
    type: 'group',
    description: "The agent's own metrics and health.",
    properties: {
      endpoint: {
        type: 'string',
        default: '127.0.0.1:9465',
        description: 'host:port of /metrics, /healthz and /readyz; empty: not served.',
      },
      otlp_endpoint: {
        type: 'string',
        default: '',
        description:
          "host:port that takes the agent's own metrics as OTLP over gRPC; empty: not sent.",
      },
      otlp_interval: {
        type: 'duration',
        default: '60s',
        minimum: '1s',
        description: 'Time between two of those.',
      },
      resource: {
        type: 'map',
        values: { type: 'string', description: 'Value of the attribute.' },
        default: {},
        description: "Resource attributes of the agent's own metrics.",
      },
    },
  },
  shutdown_timeout: {
    type: 'duration',
    default: '10s',
    description: 'From SIGTERM to the end.',
  },
} as const satisfies ConfigSpec

/** What `SERVICE_OPTIONS` gives. */
export interface ServiceOptions extends ServiceConfig {
  readonly pipelines: Readonly<Record<string, PipelineOptions>>
}
export interface PipelineOptions {
  readonly receivers: readonly string[]
  readonly processors: readonly string[]
  readonly exporters: readonly string[]
  readonly worker: string
}

/** What `EXPORTER_OPTIONS` gives. */
export interface ExporterOptions {
  readonly sending_queue: Omit<QueueConfig, 'queue_size'> & {
    readonly queue_size?: string | number
  }
  readonly retry_on_failure: RetryConfig
  readonly timeout: number
}

const QUEUE_SIZES: Readonly<Record<QueueConfig['sizer'], number>> = {
  bytes: 16 * 2 ** 20,
  items: 100_000,
  requests: 1000,
}

/** The queue, or a sentence saying what is wrong with its `queue_size`. */
export function queueOf(options: ExporterOptions['sending_queue']): QueueConfig | string {
  const { sizer, overflow } = options
  const written = options.queue_size ?? QUEUE_SIZES[sizer]
  if (sizer === 'bytes') {
    const bytes = options.queue_size === undefined ? QUEUE_SIZES.bytes : parseSize(`${written}`)
    if (bytes === undefined) return sizeMistake(`${written}`)
    return bytes > 0 ? { sizer, queue_size: bytes, overflow } : 'must be more than 0'
  }
  const count = Number(written)
  if (!Number.isInteger(count) || count < 1) {
    return `with sizer ${sizer} this is a whole number of at least 1, got "${written}"`
  }
  return { sizer, queue_size: count, overflow }
}
