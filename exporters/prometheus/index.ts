/**
 * Metrics for Prometheus to fetch: an HTTP endpoint that speaks the classic text format and
 * OpenMetrics 1.0.
 *
 * Nothing is buffered per scrape. Series live in core's dictionaries; label text is encoded when
 * a series is born, and a scrape streams it with the newest values.
 */
import { defineExporter, type Host, PermanentError, SERIES_COLUMNS } from '../../core/index.ts'
import { formatAddress, listen, parseAddress } from '../listen.ts'
import { labelGroups, prometheusLabel } from '../names.ts'
import { readServerTls, SERVER_TLS } from '../tls.ts'
import { CHUNK_BYTES, Exposition } from './exposition.ts'
import { type ConstantLabels, escapeLabel, Families, type Format } from './families.ts'
import { scrapeServer } from './server.ts'

export default defineExporter({
  summary: 'Metrics at an HTTP endpoint for Prometheus to scrape',
  stability: 'beta',
  config: {
    endpoint: {
      type: 'string',
      default: '127.0.0.1:9464',
      description: 'Address to listen on, `host:port`; `:9464` listens on every address.',
    },
    path: {
      type: 'string',
      default: '/metrics',
      pattern: '^/[^?#\\s]*$',
      description: 'Path of the metrics.',
    },
    tls: {
      type: 'group',
      optional: true,
      properties: SERVER_TLS,
      description: 'Serves https with these files, and only that.',
    },
    bearer_token: {
      type: 'secret',
      description: 'Scrapers must send `Authorization: Bearer` with this token.',
    },
    created: {
      type: 'boolean',
      default: false,
      description:
        'OpenMetrics only: adds `_created` lines. ' +
        'Prometheus stores each of them as a series of its own.',
    },
    resource: {
      type: 'map',
      values: { type: 'string', description: 'Value of the attribute.' },
      default: {},
      description: 'Further attributes of this agent, shown as labels of `target_info`.',
    },
    resource_labels: {
      type: 'list',
      items: { type: 'string', description: 'Name of a resource attribute, such as `host.name`.' },
      default: [],
      description: 'Resource attributes that every series also carries as labels.',
    },
    scrapes_max: {
      type: 'integer',
      minimum: 1,
      maximum: 64,
      default: 4,
      description: 'Scrapes at the same time; one more is answered 503.',
    },
    scrape_timeout: {
      type: 'duration',
      minimum: '1s',
      default: '30s',
      description: 'A scraper that has not taken everything by then is cut off.',
    },
  },
  needs: config => {
    parseAddress(config.endpoint)
    return [SERIES_COLUMNS]
  },

  async open(config, host) {
    const address = parseAddress(config.endpoint)
    const resource = resourceOf(host, config.resource)
    const labels = constantLabels(resource, config.resource_labels)
    const families = new Families(labels, conflict(host), twins(host))
    const target = targetLabels(resource)
    const spare: Buffer[] = []
    const server = await scrapeServer({
      path: config.path,
      bearerToken: config.bearer_token || undefined,
      tls: config.tls ? readServerTls(config.tls) : undefined,
      scrapesMax: config.scrapes_max,
      scrapeTimeout: config.scrape_timeout,
      text: format => scrape(families, { format, created: config.created, target }, spare),
      count: (name, n) => host.count(name, n),
    })
    const bound = await listen(server, address)
    const scheme = config.tls ? 'https' : 'http'
    host.log.info('serving metrics', { url: `${scheme}://${formatAddress(bound)}${config.path}` })
    let closing: Promise<void> | undefined
    return {
      write(_batch, { series }) {
        if (closing) throw new PermanentError('the exporter is closed')
        if (!series) return
        families.add(series)
        families.refresh()
      },
      close() {
        closing ??= new Promise<void>(resolve => {
          server.close(() => resolve())
          server.closeAllConnections()
        })
        return closing
      },
    }
  },
})

/** Buffers are used again, so that scraping leaves no garbage outside the heap. */
function* scrape(
  families: Families,
  options: { format: Format; created: boolean; target: string },
  spare: Buffer[],
): Generator<Buffer, void, void> {
  const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
  try {
    families.refresh()
    families.findTwins()
    yield* new Exposition(families.list, options, buffer).chunks()
  } finally {
    spare.push(buffer)
  }
}

function resourceOf(host: Host, extra: Readonly<Record<string, string>>): Record<string, string> {
  return {
    'service.name': 'fovea',
    'service.version': host.agent.version,
    'service.instance.id': host.agent.instanceId,
    'host.name': host.agent.hostName,
    ...extra,
  }
}

function targetLabels(resource: Record<string, string>): string {
  const values = Object.values(resource)
  return labelGroups(Object.keys(resource))
    .map(([name, indexes]) => [name, indexes.map(index => values[index]).join(';')])
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',')
}

function constantLabels(
  resource: Record<string, string>,
  names: readonly string[],
): ConstantLabels {
  return names
    .filter(name => resource[name] !== undefined)
    .map(name => [prometheusLabel(name), resource[name]] as const)
}

function conflict(host: Host) {
  return (name: string, kept: string, skipped: string) => {
    host.count('metrics_skipped', 1)
    host.log.warn('a metric is left out: its Prometheus name is taken by one of another type', {
      metric: name,
      type: skipped,
      taken_by: kept,
    })
  }
}

function twins(host: Host) {
  return (name: string) => {
    host.count('metrics_repeated', 1)
    host.log.warn('two processors make the same series: Prometheus keeps one; rename one metric', {
      metric: name,
    })
  }
}
