/**
 * Content negotiation with the headers that scrapers really send.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseFormat, takesGzip } from '../../../exporters/prometheus/negotiate.ts'

test('Prometheus of every age gets the best format that it asks for', () => {
  const two = [
    'application/openmetrics-text;version=1.0.0',
    'application/openmetrics-text;version=0.0.1;q=0.75',
    'text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
  ]
  assert.equal(chooseFormat(two.join(',')), 'openmetrics')
  const three = [
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6',
    'application/openmetrics-text;version=0.0.1;q=0.5',
    'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4',
    'text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
  ]
  assert.equal(chooseFormat(three.join(',')), 'openmetrics')
  assert.equal(chooseFormat('text/plain;version=0.0.4;q=1,*/*;q=0.1'), 'text')
})

test('the larger q wins, and 0 means no', () => {
  const both = (openmetrics: number, text: number) =>
    chooseFormat(`application/openmetrics-text; q=${openmetrics}, text/plain; q=${text}`)
  assert.equal(both(0.5, 0.9), 'text')
  assert.equal(both(0.9, 0.5), 'openmetrics')
  assert.equal(both(0, 0), 'text')
  assert.equal(chooseFormat('application/openmetrics-text;q=0'), 'text')
})

test('who asks for neither, or for nothing, gets the classic text', () => {
  for (const accept of [undefined, '', '*/*', 'text/html', 'application/json', ';;q=,']) {
    assert.equal(chooseFormat(accept), 'text')
  }
  assert.equal(chooseFormat('application/openmetrics-text; version=0.0.1'), 'text')
  assert.equal(chooseFormat('Application/OpenMetrics-Text; Version="1.0.0"'), 'openmetrics')
})

test('gzip is used for those who take it and prefer it', () => {
  const yes = ['gzip', 'gzip, deflate', 'deflate, GZIP;q=1.0', '*', 'gzip;q=0.5', 'identity, gzip']
  const no = [undefined, '', 'deflate', 'gzip;q=0', '*;q=0', 'gzip;q=0, *', 'identity, gzip;q=0.5']
  for (const header of yes) assert.equal(takesGzip(header), true, String(header))
  for (const header of no) assert.equal(takesGzip(header), false, String(header))
})
