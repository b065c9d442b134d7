/**
 * Where did every row go? Random graphs of filters, folds, joins and fan-out, with stages that
 * throw, workers that die, exporters that fail, hang or overflow; then the books must balance to
 * the row, and the weights of the rows must add up along every branch.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { collected } from '../harness/collected.ts'
import { type Graph, runGraph } from '../harness/graph.ts'

const stage = fc.constantFrom('test_sieve', 'test_fold', 'test_stumble', 'test_sieve/two')
const pipeline = fc.record({
  stages: fc.uniqueArray(stage, { maxLength: 3 }),
  exporters: fc.uniqueArray(fc.nat({ max: 2 }), { minLength: 1, maxLength: 3 }),
  worker: fc.constantFrom('default', 'second'),
  /** Reads the pipeline before it instead of the receivers. */
  joined: fc.boolean(),
})
const exporter = fc.record({
  retryable: fc.constantFrom(0, 0.3),
  permanent: fc.constantFrom(0, 0.2),
  queue: fc.constantFrom(2, 1000),
  overflow: fc.constantFrom('drop_oldest', 'drop_newest', 'block'),
  delay: fc.constantFrom('0s', '30ms'),
})
const graph = fc.record({
  seed: fc.integer({ min: 1, max: 1e6 }),
  receivers: fc.array(
    fc.record({ batches: fc.nat({ max: 30 }), rows: fc.integer({ min: 1, max: 40 }) }),
    {
      minLength: 1,
      maxLength: 2,
    },
  ),
  pipelines: fc.array(pipeline, { minLength: 1, maxLength: 4 }),
  exporters: fc.array(exporter, { minLength: 3, maxLength: 3 }),
  die: fc.boolean(),
})

function yamlOf(shape: typeof graph extends fc.Arbitrary<infer T> ? T : never): Graph {
  const lines = ['receivers:']
  shape.receivers.forEach(({ batches, rows }, at) => {
    lines.push(`  test_counter/${at}: { batches: ${batches}, rows: ${rows}, each: 10 }`)
  })
  const used = new Set(shape.pipelines.flatMap(({ stages }) => stages))
  if (used.size > 0) lines.push('processors:')
  for (const id of used) {
    const die = id === 'test_stumble' && shape.die ? `, die: DIE` : ''
    const options =
      id === 'test_stumble' ? `seed: ${shape.seed}${die}` : id.endsWith('two') ? 'of: 2' : ''
    lines.push(`  ${id}: { ${options} }`)
  }
  lines.push('exporters:')
  shape.exporters.forEach((e, at) => {
    lines.push(
      `  test_collect/${at}: { seed: ${shape.seed + at}, retryable: ${e.retryable},`,
      `    permanent: ${e.permanent}, delay: ${e.delay},`,
      `    sending_queue: { sizer: requests, queue_size: ${e.queue}, overflow: ${e.overflow} },`,
      '    retry_on_failure: { initial_interval: 5ms, max_interval: 20ms,',
      '                        max_elapsed_time: 60ms } }',
    )
  })
  lines.push('service:', '  telemetry: { endpoint: "" }', '  pipelines:')
  shape.pipelines.forEach((p, at) => {
    const from =
      p.joined && at > 0
        ? `pipeline/p${at - 1}`
        : shape.receivers.map((_, receiver) => `test_counter/${receiver}`).join(', ')
    const exporters = p.exporters.map(e => `test_collect/${e}`).join(', ')
    lines.push(
      `    p${at}:`,
      `      receivers: [${from}]`,
      `      processors: [${p.stages.join(', ')}]`,
      `      exporters: [${exporters}]`,
      `      worker: ${p.worker}`,
    )
  })
  return { yaml: lines.join('\n') }
}

test('every row of random graphs under faults is accounted for, at every stage', async () => {
  await fc.assert(
    fc.asyncProperty(graph, async shape => {
      const { accounts, lost } = await runGraph(yamlOf(shape))
      for (const { kind, component, pipeline: name, rows: r } of accounts) {
        if (kind === 'receiver') continue
        const left = r.in + r.created
        const right = r.out + r.filtered + r.folded + r.held + r.failed + r.refused
        assert.equal(left, right, `${kind} ${component} of ${name}: ${JSON.stringify(r)}`)
        assert.equal(r.held, 0, `${component} of ${name} still holds rows after the end`)
      }
      assert.deepEqual([...lost], [])
      edgesBalance(shape, accounts)
    }),
    { numRuns: 25, endOnFailure: true, timeout: 60_000 },
  )
})

type Accounts = Awaited<ReturnType<typeof runGraph>>['accounts']

/** What goes into a pipeline's first stage or branch is what its sources put out. */
function edgesBalance(shape: Parameters<typeof yamlOf>[0], accounts: Accounts): void {
  const rowsOf = (kind: string, component: string, name: string) =>
    accounts.find(a => a.kind === kind && a.component === component && a.pipeline === name)?.rows
  const putOut: number[] = []
  const receivers = shape.receivers.reduce((sum, { batches, rows }) => sum + batches * rows, 0)
  shape.pipelines.forEach((p, at) => {
    let rows = p.joined && at > 0 ? putOut[at - 1] : receivers
    for (const id of p.stages) {
      const account = rowsOf('processor', id, `p${at}`)
      assert.equal(
        account?.in ?? 0,
        rows,
        `${id} of p${at} was given what the stage before it put out`,
      )
      rows = account?.out ?? 0
    }
    putOut.push(rows)
    for (const e of p.exporters) {
      const account = rowsOf('exporter', `test_collect/${e}`, `p${at}`)
      assert.equal(account?.in ?? 0, rows, `exporter ${e} was offered all that left p${at}`)
    }
  })
}

test('packets read equal packets exported plus filtered, through a fold and a join', async () => {
  const { accounts } = await runGraph({
    yaml: `
receivers: { test_counter: { batches: 40, rows: 25 } }
processors: { test_sieve: { of: 5 }, test_fold: { keys: 3 } }
exporters: { test_collect/raw: {}, test_collect/folded: {} }
service:
  telemetry: { endpoint: "" }
  pipelines:
    raw: { receivers: [test_counter], exporters: [test_collect/raw] }
    sieved: { receivers: [test_counter], processors: [test_sieve] }
    folded:
      { receivers: [pipeline/sieved], processors: [test_fold], exporters: [test_collect/folded] }
`,
  })
  let all = 0
  let kept = 0
  for (let number = 0; number < 1000; number++) {
    const packets = (number % 7) + 1
    all += packets
    if (number % 5 !== 0) kept += packets
  }
  assert.equal(collected.get('test_collect/raw')?.packets, all)
  assert.equal(collected.get('test_collect/folded')?.packets, kept)
  const sieve = accounts.find(({ component }) => component === 'test_sieve')
  assert.equal(sieve?.rows.filtered, 200)
})

test('what a receiver says it lost is counted once, under its cause', async () => {
  const { lost } = await runGraph({
    yaml: `
receivers: { test_counter: { batches: 4, rows: 1, lost: 3 } }
exporters: { test_collect: {} }
service:
  telemetry: { endpoint: "" }
  pipelines: { p: { receivers: [test_counter], exporters: [test_collect] } }
`,
  })
  assert.deepEqual([...lost], [['test_counter\nunknown', 12]])
})

test('an exporter that never answers delays nobody else; its rows count as failed', async () => {
  const { accounts } = await runGraph({
    yaml: `
receivers: { test_counter: { batches: 20, rows: 10 } }
exporters:
  test_collect/dead: { hang: true, timeout: 50ms, retry_on_failure: { enabled: false } }
  test_collect/alive: {}
service:
  telemetry: { endpoint: "" }
  shutdown_timeout: 300ms
  pipelines:
    p: { receivers: [test_counter], exporters: [test_collect/dead, test_collect/alive] }
`,
  })
  const rows = (component: string) => accounts.find(a => a.component === component)?.rows
  assert.equal(rows('test_collect/alive')?.out, 200)
  assert.equal(rows('test_collect/dead')?.failed, 200)
})

after(() => collected.clear())
