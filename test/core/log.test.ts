/**
 * The log: what one line is in both forms, and what the limiter lets through.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LogEntry, LogLimiter, openLog } from '../../core/log.ts'

const ENTRY: LogEntry = {
  level: 'warn',
  component: 'flows/uplink',
  message: 'table is full: "flow_table"\nrows go to other',
  fields: { rows: 12, ok: false, 'odd key': 'a=b', empty: '' },
  timeMs: Date.UTC(2026, 10, 24, 23, 26, 26, 123),
}

function lines(format: 'logfmt' | 'json', level: 'debug' | 'info' | 'warn' = 'debug') {
  const written: string[] = []
  return { written, sink: openLog({ format, level, write: line => written.push(line) }) }
}

test('an entry is one line of logfmt, quoted where it must be', () => {
  const { written, sink } = lines('logfmt')
  sink.write(ENTRY)
  assert.deepEqual(written, [
    'time=2026-11-24T23:26:26.123Z level=warn component=flows/uplink ' +
      'message="table is full: \\"flow_table\\"\\nrows go to other" ' +
      'rows=12 ok=false odd_key="a=b" empty=""\n',
  ])
})

test('an entry is one JSON object a line with --log-format json', () => {
  const { written, sink } = lines('json')
  sink.write(ENTRY)
  assert.equal(written.length, 1)
  assert.equal(written[0].indexOf('\n'), written[0].length - 1)
  assert.deepEqual(JSON.parse(written[0]), {
    time: '2026-11-24T23:26:26.123Z',
    level: 'warn',
    component: 'flows/uplink',
    message: ENTRY.message,
    ...ENTRY.fields,
  })
})

test('entries below the level are left out, and time is now when none is given', () => {
  const { written, sink } = lines('json', 'warn')
  const log = sink.component('dns')
  const before = Date.now()
  log.debug('a')
  log.info('b')
  log.warn('c')
  log.error('d', { n: 1 })
  const entries = written.map(line => JSON.parse(line))
  assert.deepEqual(
    entries.map(({ level, message, component, n }) => [level, message, component, n]),
    [
      ['warn', 'c', 'dns', undefined],
      ['error', 'd', 'dns', 1],
    ],
  )
  assert.ok(Date.parse(entries[0].time) >= before)
})

test('a message passes once a minute for its key, with the count of those that did not', () => {
  const { written, sink } = lines('logfmt')
  let now = 0
  const limiter = new LogLimiter(sink.component('x'), 60_000, () => now)
  for (; now < 60_000; now += 10_000) limiter.error('decode', `failed at ${now}`)
  limiter.warn('other', 'another key')
  limiter.error('decode', 'failed at 60000', { batch: 7 })
  assert.deepEqual(
    written.map(line => line.replace(/^time=\S+ /, '').trim()),
    [
      'level=error component=x message="failed at 0"',
      'level=warn component=x message="another key"',
      'level=error component=x message="failed at 60000" batch=7 suppressed=5',
    ],
  )
})

test('at the end the limiter says what it still holds back, once', () => {
  const { written, sink } = lines('logfmt')
  const limiter = new LogLimiter(sink.component('x'), 60_000, () => 0)
  for (let i = 0; i < 4; i++) limiter.error('k', `failure ${i}`)
  limiter.warn('single', 'alone')
  limiter.flush()
  limiter.flush()
  assert.deepEqual(
    written.map(line => /message=.*/.exec(line)![0]),
    ['message="failure 0"', 'message=alone', 'message="failure 3" suppressed=3'],
  )
})

test('a flood of distinct keys does not grow the limiter without end', () => {
  const { written, sink } = lines('logfmt')
  const limiter = new LogLimiter(sink.component('x'), 60_000, () => 0)
  for (let i = 0; i < 1500; i++) limiter.error(`key ${i}`, 'm')
  assert.equal(written.length, 1500)
  limiter.error('key 1499', 'm')
  assert.equal(written.length, 1500, 'a recent key is remembered')
  limiter.error('key 0', 'm')
  assert.equal(written.length, 1501, 'the oldest were forgotten')
})
