/**
 * The OTLP exporter opened against a local server, with what a test needs to drive it.
 */
import type { TestContext } from 'node:test'
import type { Batch } from '../../../core/batch.ts'
import type { ConfigOf } from '../../../core/config_spec.ts'
import type { SeriesView } from '../../../core/series.ts'
import otlp from '../../../exporters/otlp/index.ts'
import { configOf, type TestHost, testHost } from '../series_fixture.ts'

export type Given = Partial<ConfigOf<typeof otlp.config>>

export interface Opened {
  readonly host: TestHost
  close(): Promise<void>
  write(batch: Batch, series?: SeriesView, signal?: AbortSignal): Promise<void>
}

/** Closed when the test ends. */
export async function opened(test: TestContext, given: Given): Promise<Opened> {
  const host = testHost('otlp')
  const exporter = await otlp.open(configOf(otlp.config, given), host)
  test.after(() => exporter.close())
  const never = new AbortController().signal
  return {
    host,
    close: async () => exporter.close(),
    write: async (batch, series, signal = never) => exporter.write(batch, { signal, series }),
  }
}

/** TLS options with their defaults. */
export function tlsOf(given: Partial<Given['tls'] & object>): Given['tls'] {
  return { ...configOf(otlp.config).tls, ...given }
}
