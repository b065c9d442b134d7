/**
 * The Prometheus exporter listening on a free loopback port, and a parser of what it says that
 * shares nothing with the writer.
 */
import type { TestContext } from 'node:test'
import type { Batch } from '../../../core/batch.ts'
import type { ConfigOf } from '../../../core/config_spec.ts'
import type { SeriesView } from '../../../core/series.ts'
import prometheus from '../../../exporters/prometheus/index.ts'
import { configOf, type TestHost, testHost } from '../series_fixture.ts'

export type Given = Partial<ConfigOf<typeof prometheus.config>>
export const TEXT = 'text/plain; version=0.0.4'
export const OPENMETRICS = 'application/openmetrics-text; version=1.0.0'

export interface Opened {
  readonly host: TestHost
  readonly url: string
  write(batch: Batch, series: SeriesView): Promise<void>
  close(): Promise<void>
  /** The body of a scrape. */
  scrape(accept?: string): Promise<string>
}

/** Closed when the test ends. */
export async function opened(test: TestContext, given: Given = {}): Promise<Opened> {
  const host = testHost('prometheus')
  const config = configOf(prometheus.config, { endpoint: '127.0.0.1:0', ...given })
  const exporter = await prometheus.open(config, host)
  test.after(() => exporter.close())
  const url = String(/"url":"([^"]+)"/.exec(host.lines[0])?.[1])
  const { signal } = host
  return {
    host,
    url,
    close: async () => exporter.close(),
    write: async (batch, series) => exporter.write(batch, { signal, series }),
    scrape: async (accept = TEXT) => (await fetch(url, { headers: { accept } })).text(),
  }
}

export interface Sample {
  readonly name: string
  /** Without empty ones, which are the same as none; `le` as a number. */
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Every sample of a text in either format; throws where a line is neither comment nor sample. */
export function parse(text: string): Sample[] {
  return text
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(parseLine)
}

function parseLine(line: string): Sample {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/su.exec(line)
  if (!match) throw new Error(`no sample: ${JSON.stringify(line)}`)
  const labels: Record<string, string> = {}
  let rest = match[2] ?? ''
  while (rest !== '') {
    const label = /^([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"(?:,|$)/su.exec(rest)
    if (!label) throw new Error(`no label: ${JSON.stringify(rest)}`)
    const [whole, name, escaped] = label
    const value = escaped.replace(/\\(.)/gsu, (_, c) => (c === 'n' ? '\n' : c))
    if (value !== '') labels[name] = name === 'le' ? String(parseNumber(value)) : value
    rest = rest.slice(whole.length)
  }
  return { name: match[1], labels, value: parseNumber(match[3]) }
}

function parseNumber(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  if (text === '-Inf') return Number.NEGATIVE_INFINITY
  return Number(text)
}

/** Samples in an order of their own, so that two texts can be compared. */
export function sorted(samples: readonly Sample[]): string[] {
  return samples
    .map(({ name, labels, value }) => {
      const list = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
      return `${name} ${JSON.stringify(list)} ${value}`
    })
    .sort()
}
