/**
 * The oracle: for any series, both of our formats say what the SDK's PrometheusSerializer says.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import fc from 'fast-check'
import { prometheusName } from '../../../exporters/names.ts'
import { fixtureOf, generated, RESOURCE, sdkMetrics } from '../sdk_metrics.ts'
import { OPENMETRICS, opened, parse, sorted, TEXT } from './opened.ts'

test('both formats say what the SDK says, value for value', async t => {
  const theirs = new PrometheusSerializer(undefined, false, undefined, false, true)
  const property = fc.asyncProperty(generated, async data => {
    const exporter = await opened(t)
    const fixture = fixtureOf(data)
    const points = data.series.map(({ point }) => point)
    await exporter.write(fixture.batch(points), fixture.view)
    const named = sdkMetrics(data, RESOURCE, metric => prometheusName(metric).family)
    // Prometheus forbids a digit in front; the SDK writes it all the same.
    const oracle = theirs.serialize(named).replaceAll('0digit="', 'key_0digit="')
    const expected = sorted(parse(oracle))
    assert.deepEqual(sorted(parse(await exporter.scrape(TEXT))), expected)
    assert.deepEqual(sorted(parse(await exporter.scrape(OPENMETRICS))), expected)
  })
  await fc.assert(property, { numRuns: 50 })
})
