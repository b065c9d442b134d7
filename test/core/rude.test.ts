/**
 * Components that break the contract: each costs what it gave wrong, and neither the others nor
 * the end.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent } from '../../core/agent.ts'
import { openLog } from '../../core/log.ts'
import { collected } from '../harness/collected.ts'
import { type Books, planOf, runGraph } from '../harness/graph.ts'
import { until } from '../harness/until.ts'

beforeEach(() => collected.clear())

interface Parts {
  readonly receiver?: string
  readonly stage?: string
  readonly exporter?: string
}

/** A good receiver and exporter, and beside each a rude one. */
function yaml({ receiver = '', stage = '', exporter = '' }: Parts): string {
  return `
receivers:
  rude_receiver: { fault: ${receiver} }
  test_counter: { endless: true, batches: 20, rows: 5, each: 20 }
processors: { rude_stage: { fault: ${stage} } }
exporters: { test_collect: {}, rude_exporter: { fault: ${exporter}, timeout: 50ms } }
service:
  telemetry: { endpoint: "" }
  shutdown_timeout: 1s
  pipelines:
    good: { receivers: [test_counter], exporters: [test_collect] }
    rude: { receivers: [rude_receiver], processors: [rude_stage], exporters: [rude_exporter] }`
}

const good = () => collected.get('test_collect')?.rows ?? 0

/** Runs until the good pipeline has delivered its 100 rows, and `more`. */
function run(parts: Parts, more: (books: () => Books['events']) => boolean = () => true) {
  return runGraph({ yaml: yaml(parts) }, async agent => {
    const events = () => agent.runtime.ledger.events
    await until('the good rows are there', () => good() === 100 && more(events))
  })
}

const rowsOf = ({ accounts }: Books, component: string, outcome: 'in' | 'out' | 'failed') =>
  accounts.find(account => account.component === component)?.rows[outcome] ?? 0

for (const [receiver, words] of [
  ['read throws', 'read failed: row 1 is bad'],
  ['other table', 'it gave a table \\"stranger\\"; what it states is rude_receiver'],
  ['no batch', 'what it gave is no batch'],
  ['too long', 'its batch of rude_receiver says 99 rows and has room for 8'],
  ['ended throws', 'read failed: no end'],
] as const) {
  test(`a receiver with the fault "${receiver}" is named once, the others run`, async () => {
    const books = await run(
      { receiver },
      events => (events().get('rude_receiver\nread_failed') ?? 0) > 2,
    )
    const lines = books.log.filter(line => line.includes('component=rude_receiver'))
    assert.equal(lines.length, 1, books.log.join(''))
    assert.ok(lines[0].includes(words), lines[0])
  })
}

for (const [part, fault] of [
  ['receiver', 'finish throws'],
  ['receiver', 'close throws'],
  ['receiver', 'close hangs'],
  ['stage', 'feed close throws'],
  ['stage', 'feed close hangs'],
  ['exporter', 'close throws'],
  ['exporter', 'close hangs'],
] as const) {
  test(`a ${part} whose ${fault} is named, and the agent ends in order`, async () => {
    const books = await run({ [part]: fault })
    const words = fault.includes('hangs') ? 'close does not end' : 'failed: no '
    assert.match(books.log.join(''), new RegExp(words))
    assert.ok(rowsOf(books, 'rude_exporter', 'in') >= 10)
  })
}

test('a receiver that fails to open by a bug degrades alone, and the bug is named', async () => {
  const { log } = await run({ receiver: 'open throws' })
  assert.match(log.join(''), /not open, the others run: TypeError: nothing.here is not a function/)
})

test('a receiver that never opens is named, the others run, and the agent ends', async () => {
  const { log } = await run({ receiver: 'open hangs' })
  assert.match(log.join(''), /not open, the others run: has not opened in 5 s/)
})

test('what an exporter lacks, or has written wrong, is said with its name', async () => {
  const plan = (fault: Parts) => runGraph({ yaml: yaml(fault) }, async () => undefined)
  await assert.rejects(plan({ exporter: 'open lacks' }), {
    name: 'EnvironmentError',
    message: 'exporter rude_exporter: no port',
  })
  await assert.rejects(plan({ exporter: 'open mistake' }), {
    name: 'ConfigError',
    message: 'exporters.rude_exporter.fault: no good',
  })
})

test('an agent whose exporter never opens can still be stopped', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-rude-'))
  const log = openLog({ format: 'logfmt', level: 'error', write: () => undefined })
  const plan = await planOf(yaml({ exporter: 'open hangs' }), folder)
  const agent = new Agent(plan, { log, signals: false })
  void agent.start()
  await agent.stop()
  rmSync(folder, { recursive: true })
})

test('a source without an end is closed at the end all the same', async () => {
  const { log } = await run({ receiver: 'endless' })
  assert.match(log.join(''), /closed while there was more to read/)
})

test('a batch that a stage puts out twice arrives twice', async () => {
  const books = await run({ stage: 'twice' })
  assert.equal(rowsOf(books, 'rude_stage', 'out'), 2 * rowsOf(books, 'rude_stage', 'in'))
  assert.equal(rowsOf(books, 'rude_exporter', 'in'), rowsOf(books, 'rude_stage', 'out'))
})

test('a stage that puts out null among batches is named, its batches go on', async () => {
  const books = await run({ stage: 'null inside' })
  assert.equal(rowsOf(books, 'rude_exporter', 'in'), rowsOf(books, 'rude_stage', 'in'))
  assert.equal(books.events.get('worker/default\nrestarts'), undefined)
  assert.match(books.log.join(''), /stage failed: what it gave is no batch/)
})

test('rows in a table that the stage does not state count as failed', async () => {
  const books = await run({ stage: 'other table' })
  const given = rowsOf(books, 'rude_stage', 'in')
  assert.ok(given >= 10)
  assert.equal(rowsOf(books, 'rude_stage', 'failed'), given)
  assert.match(books.log.join(''), /stage failed: it gave a table \\"stranger\\"/)
})

test('a stage that never returns is cut off at the end, its rows count as failed', async () => {
  const books = await run({ stage: 'hangs' })
  const given = rowsOf(books, 'rude_stage', 'in')
  assert.ok(given >= 10)
  assert.equal(rowsOf(books, 'rude_stage', 'failed'), given)
  assert.match(books.log.join(''), /worker default did not end in time and was cut off/)
})

for (const fault of ['feed sends a view', 'feed sends twice']) {
  test(`a ${fault}: the worker stays alive`, async () => {
    const books = await run({ stage: fault })
    assert.equal(books.events.get('worker/default\nrestarts'), undefined)
    assert.ok(rowsOf(books, 'rude_exporter', 'in') >= 10)
  })
}

test('a feed that never begins does not keep the others from starting', async () => {
  const { log } = await run({ stage: 'feed hangs' })
  assert.match(log.join(''), /its feed has not begun in 5 s/)
})

test('a write that ignores its deadline is named; its rows are failed at the end', async () => {
  const books = await runGraph({ yaml: yaml({ exporter: 'write hangs' }) }, async () => {
    await until('the good rows are there', () => good() === 100)
    await pause(2500)
  })
  const given = rowsOf(books, 'rude_exporter', 'in')
  assert.ok(given >= 10)
  assert.equal(rowsOf(books, 'rude_exporter', 'failed'), given)
  assert.match(books.log.join(''), /write goes on after its deadline; nothing else is written/)
})

test('a changed processor has a new feed after the reload, the old one is closed', async () => {
  const { events } = await runGraph({ yaml: yaml({}) }, async (agent, folder) => {
    await agent.runtime.reload(await planOf(yaml({ stage: 'other' }), folder))
    await until('the first feed is closed', () =>
      agent.runtime.ledger.events.has('rude_stage\nfeed closed of none'),
    )
    assert.equal(agent.runtime.ledger.events.get('rude_stage\nfeed closed of other'), undefined)
  })
  assert.equal(events.get('rude_stage\nfeed of other'), 1)
  assert.equal(events.get('rude_stage\nfeed closed of other'), 1)
})

test('a batch that comes by both ways of a join is there twice, in any worker', async () => {
  for (const workers of [
    ['default', 'default', 'default'],
    ['one', 'two', 'three'],
  ]) {
    collected.clear()
    const stages = 'processors: [rude_stage]'
    await runGraph({
      yaml: `
receivers: { test_counter: { batches: 3, rows: 5 } }
processors: { rude_stage: }
exporters: { test_collect: }
service:
  telemetry: { endpoint: "" }
  pipelines:
    a: { receivers: [test_counter], ${stages}, worker: ${workers[0]} }
    b: { receivers: [pipeline/a], ${stages}, worker: ${workers[1]} }
    c: { receivers: [pipeline/a], ${stages}, worker: ${workers[2]} }
    d: { receivers: [pipeline/b, pipeline/c], ${stages}, exporters: [test_collect] }`,
    })
    assert.equal(good(), 30, workers.join(' '))
  }
})
