/**
 * Prometheus itself: `promtool check metrics` finds nothing to say about our own names, and a
 * real server that scrapes the endpoint answers queries with the values that were exported.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { MetricDefinition } from '../../../core/series.ts'
import { resolveMetrics } from '../../../processors/aggregate/metrics.ts'
import { SeriesFixture } from '../series_fixture.ts'
import { type Opened, opened, parse, type Sample, sorted, TEXT } from './opened.ts'

const installed = (name: string) => spawnSync(name, ['--version']).status === 0
const needs = (name: string) => ({ skip: installed(name) ? false : `${name} is not installed` })

const GAUGES: readonly MetricDefinition[] = [
  {
    name: 'fovea.tcp.sockets',
    description: 'Sockets by state.',
    unit: '{socket}',
    type: 'gauge',
    labels: ['state'],
  },
  {
    name: 'fovea.table.fill',
    description: 'Fill of a table.',
    unit: '1',
    type: 'gauge',
    labels: ['table'],
  },
]

/** Two series of every metric that we ship, and of gauges. */
async function shipped(test: TestContext): Promise<Opened> {
  const config = { preset: ['otel'], metrics: [], interval: 0, idle_expiry: 0, series_max: 0 }
  const metrics = [...resolveMetrics(config).map(({ definition }) => definition), ...GAUGES]
  const fixture = new SeriesFixture(metrics)
  const points = []
  for (let id = 0; id < 2 * metrics.length; id++) {
    const { labels, bounds, type } = metrics[id >> 1]
    fixture.born(
      id,
      id >> 1,
      labels.map((label, i) => `${label}-${id}-${i}`),
    )
    const own = Array.from({ length: (bounds?.length ?? 0) + 1 }, (_, i) => i + id)
    const count = own.reduce((a, b) => a + b, 0)
    points.push({ id, values: type === 'histogram' ? [0.125 * count, count, ...own] : [id + 0.5] })
  }
  const exporter = await opened(test)
  await exporter.write(fixture.batch(points), fixture.view)
  return exporter
}

test('promtool has nothing to say about our own metrics', needs('promtool'), async t => {
  const { scrape } = await shipped(t)
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: await scrape(TEXT) })
  assert.deepEqual([checked.stderr.toString(), checked.status], ['', 0])
})

test(
  'a Prometheus server stores what was exported, value for value',
  needs('prometheus'),
  async t => {
    const ours = await shipped(t)
    const odd = await strange(t)
    const api = await startPrometheus(t, [ours.url, odd.url])
    const texts = [await ours.scrape(TEXT), await odd.scrape(TEXT)]
    const expected = sorted(texts.flatMap(parse).filter(({ value }) => !Number.isNaN(value)))
    let stored: readonly Sample[] = []
    const deadline = Date.now() + 30_000
    while (stored.length < expected.length && Date.now() < deadline) {
      await new Promise(resolve => setTimeout(resolve, 200))
      stored = await query(api, '{job=~"fovea.*",__name__!~"up|scrape_.*"}')
    }
    assert.deepEqual(sorted(stored), expected)
  },
)

/** Labels and numbers that are hard to carry. */
async function strange(test: TestContext): Promise<Opened> {
  const labels = ['text']
  const fixture = new SeriesFixture([
    { name: 'strange', description: 'Back\\slash,\nnew line.', unit: '', type: 'gauge', labels },
  ])
  const long = 'x'.repeat(1000)
  const texts = ['a"b', 'c\\d', 'e\nf', 'größe', '日本', '😀', '{}=,', '', long, '\t\r']
  const numbers = [
    0,
    0.1,
    2 ** 53 - 1,
    1e21,
    5e-324,
    -1e-7,
    Number.POSITIVE_INFINITY,
    1e300,
    123456789012,
    -5,
  ]
  const points = texts.map((text, id) => {
    fixture.born(id, 0, [text])
    return { id, values: [numbers[id]] }
  })
  const exporter = await opened(test)
  await exporter.write(fixture.batch(points), fixture.view)
  return exporter
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A server that scrapes these targets every second; the URL of its API. */
async function startPrometheus(test: TestContext, urls: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-prometheus-'))
  const jobs = urls.map((url, i) => ({
    job_name: `fovea${i}`,
    static_configs: [{ targets: [new URL(url).host] }],
  }))
  const config = { global: { scrape_interval: '1s', scrape_timeout: '1s' }, scrape_configs: jobs }
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config))
  const port = await freePort()
  const child = spawn('prometheus', [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=error',
  ])
  test.after(() => stop(child, folder))
  return `http://127.0.0.1:${port}/api/v1/query`
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await ended
  rmSync(folder, { recursive: true })
}

interface Answer {
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>
      readonly value: readonly [number, string]
    }[]
  }
}

/** What the server answers, in the form that our own text is parsed to; nothing while it starts. */
async function query(api: string, expression: string): Promise<Sample[]> {
  const url = `${api}?query=${encodeURIComponent(expression)}`
  const response = await fetch(url).catch(() => undefined)
  if (!response?.ok) return []
  const { data } = (await response.json()) as Answer
  return data.result.map(({ metric, value }) => {
    const { __name__: name, job: _, instance: __, ...rest } = metric
    const labels: Record<string, string> = rest
    if (labels.le) labels.le = String(Number(labels.le.replace('+Inf', 'Infinity')))
    const number = value[1].replace('+Inf', 'Infinity')
    return { name, labels, value: Number(number) }
  })
}
