/**
 * The branch in front of an exporter: what its queue refuses, how often it retries, when it gives
 * up.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Batch, BatchWriter } from '../../core/batch.ts'
import type { Exporter, ExporterDefinition } from '../../core/contract.ts'
import { PermanentError, RetryableError } from '../../core/errors.ts'
import { openLog } from '../../core/log.ts'
import type { PlannedExporter, QueueConfig, RetryConfig } from '../../core/plan_types.ts'
import { Branch } from '../../core/runtime/branch.ts'
import { Account } from '../../core/runtime/ledger.ts'
import { until } from '../harness/until.ts'

const lines: string[] = []
const log = openLog({ format: 'logfmt', level: 'debug', write: line => lines.push(line) })

const retryDefaults: RetryConfig = {
  enabled: true,
  initial_interval: 1,
  max_interval: 4,
  max_elapsed_time: 0,
  multiplier: 2,
  randomization_factor: 0,
}

function branchOf(
  write: Exporter['write'],
  queue: Partial<QueueConfig> = {},
  retry: Partial<RetryConfig> = {},
  timeoutMs = 0,
) {
  const exporter: Exporter = { write, close: () => undefined }
  const plan: PlannedExporter = {
    id: 'test',
    type: 'test',
    config: {},
    folder: '',
    definition: { kind: 'exporter' } as ExporterDefinition,
    needs: [{}],
    queue: { sizer: 'requests', queue_size: 3, overflow: 'drop_oldest', ...queue },
    retry: { ...retryDefaults, ...retry },
    timeoutMs,
  }
  const account = new Account('exporter', 'test', 'p')
  return { branch: new Branch(plan, exporter, () => exporter, log.component('test')), account }
}

/** A batch of `rows` rows whose first cell is `mark`. */
function batchOf(mark: number, rows = 1): Batch {
  const writer = new BatchWriter('t', { mark: 'u32' }, rows)
  writer.data.mark[0] = mark
  writer.length = rows
  return writer.done()
}
const markOf = (batch: Batch) => (batch.data.mark as Uint32Array)[0]

/** Offers ten batches while the first write hangs, then lets all go; gives back what arrived. */
async function tenBehindOne(overflow: QueueConfig['overflow'], queue: Partial<QueueConfig> = {}) {
  const arrived: number[] = []
  let go: () => void = () => undefined
  const gate = new Promise<void>(resolve => {
    go = resolve
  })
  const { branch, account } = branchOf(
    async batch => {
      if (markOf(batch) === 0) await gate
      arrived.push(markOf(batch))
    },
    { overflow, ...queue },
  )
  branch.offer(batchOf(0), undefined, account)
  await new Promise(resolve => setImmediate(resolve))
  for (let mark = 1; mark <= 9; mark++) branch.offer(batchOf(mark), undefined, account)
  const isFull = branch.full
  go()
  await branch.drain(performance.now() + 10_000)
  return { arrived, rows: account.rows, isFull }
}

test('drop_oldest keeps the newest that fit behind the one under way', async () => {
  const { arrived, rows } = await tenBehindOne('drop_oldest')
  assert.deepEqual(arrived, [0, 8, 9])
  assert.deepEqual([rows.in, rows.out, rows.refused, rows.held], [10, 3, 7, 0])
})

test('a full queue says so, the first time and at the end how often', async () => {
  lines.length = 0
  await tenBehindOne('drop_oldest')
  const said = lines.filter(line => line.includes('the queue is full'))
  assert.equal(said.length, 2)
  assert.match(said[1], /suppressed=6/)
})

test('drop_newest keeps the oldest that fit', async () => {
  const { arrived, rows } = await tenBehindOne('drop_newest')
  assert.deepEqual(arrived, [0, 1, 2])
  assert.deepEqual([rows.out, rows.refused], [3, 7])
})

test('block refuses nothing and says that it is full, so that core reads no more', async () => {
  const { arrived, rows, isFull } = await tenBehindOne('block')
  assert.equal(isFull, true)
  assert.equal(arrived.length, 10)
  assert.equal(rows.refused, 0)
})

test('a queue in items counts rows, a queue in bytes counts buffers and text', async () => {
  const items = await tenBehindOne('drop_newest', { sizer: 'items', queue_size: 4 })
  assert.deepEqual(items.arrived, [0, 1, 2, 3])
  const bytes = await tenBehindOne('drop_newest', { sizer: 'bytes', queue_size: 5 * (8 * 4 + 16) })
  assert.deepEqual(bytes.arrived, [0, 1, 2, 3, 4])
})

test('a batch larger than the whole queue still goes when nothing else waits', async () => {
  const arrived: number[] = []
  const { branch, account } = branchOf(batch => void arrived.push(batch.length), {
    sizer: 'items',
    queue_size: 10,
  })
  branch.offer(batchOf(1, 1000), undefined, account)
  await branch.drain(performance.now() + 10_000)
  assert.deepEqual(arrived, [1000])
})

test('retries go on until the write is accepted, and the order stays', async () => {
  const arrived: number[] = []
  let failures = 5
  const { branch, account } = branchOf(batch => {
    if (failures-- > 0) throw new RetryableError('not yet')
    arrived.push(markOf(batch))
  })
  branch.offer(batchOf(1), undefined, account)
  branch.offer(batchOf(2), undefined, account)
  await until('both are written', () => arrived.length === 2)
  await branch.drain(performance.now() + 10_000)
  assert.deepEqual(arrived, [1, 2])
  assert.deepEqual([account.rows.out, account.rows.failed], [2, 0])
})

test('a permanent error, and any unknown one, drops the batch after one attempt', async () => {
  for (const error of [new PermanentError('never'), new Error('a bug')]) {
    let attempts = 0
    const { branch, account } = branchOf(() => {
      attempts++
      throw error
    })
    branch.offer(batchOf(1, 5), undefined, account)
    await until('it is given up', () => account.rows.failed === 5)
    await branch.drain(performance.now())
    assert.equal(attempts, 1)
  }
})

test('a server that wants more time than max_elapsed_time ends the retries', async () => {
  let attempts = 0
  const { branch, account } = branchOf(
    () => {
      attempts++
      throw new RetryableError('busy', 60_000)
    },
    {},
    { max_elapsed_time: 1000 },
  )
  branch.offer(batchOf(1), undefined, account)
  await until('it is given up at once', () => account.rows.failed === 1)
  assert.equal(attempts, 1)
  await branch.drain(performance.now())
})

test('a write that does not answer in time is aborted and tried again', async () => {
  let attempts = 0
  const { branch, account } = branchOf(
    async (_batch, { signal }) => {
      if (++attempts > 1) return
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      throw signal.reason
    },
    {},
    {},
    20,
  )
  branch.offer(batchOf(1), undefined, account)
  await until('the second attempt is accepted', () => account.rows.out === 1)
  assert.equal(attempts, 2)
  await branch.drain(performance.now())
})

test('at the end each batch has one more attempt; the deadline fails the rest', async () => {
  const never = branchOf(() => new Promise(() => undefined))
  for (let mark = 0; mark < 3; mark++)
    never.branch.offer(batchOf(mark, 2), undefined, never.account)
  await never.branch.drain(performance.now() + 50)
  assert.deepEqual([never.account.rows.failed, never.account.rows.held], [6, 0])
  let attempts = 0
  const failing = branchOf(
    () => {
      attempts++
      throw new RetryableError('down')
    },
    {},
    { initial_interval: 60_000, max_interval: 60_000 },
  )
  for (let mark = 0; mark < 3; mark++)
    failing.branch.offer(batchOf(mark), undefined, failing.account)
  await until('the first attempt failed', () => attempts === 1)
  await failing.branch.drain(performance.now() + 10_000)
  assert.deepEqual([attempts, failing.account.rows.failed], [4, 3])
})
