/**
 * End to end and per branch: packets at the receiver equal packets exported plus packets filtered,
 * through random joins, forks and diamonds over several workers. What should arrive is worked out
 * here from the numbers of the rows alone.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { collected } from '../harness/collected.ts'
import { runGraph } from '../harness/graph.ts'

const SIEVES = { test_sieve: 3, 'test_sieve/two': 2 } as const
type Sieve = keyof typeof SIEVES

const shapes = fc.record({
  batches: fc.integer({ min: 1, max: 12 }),
  rows: fc.integer({ min: 1, max: 12 }),
  pipelines: fc.array(
    fc.record({
      /** Which of the pipelines before it are read; none: the receiver. */
      reads: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
      sieves: fc.uniqueArray(fc.constantFrom<Sieve>('test_sieve', 'test_sieve/two')),
      worker: fc.constantFrom('one', 'two', 'three'),
      folds: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5 },
  ),
})
type Shape = typeof shapes extends fc.Arbitrary<infer T> ? T : never

const sourcesOf = (shape: Shape, at: number) =>
  shape.pipelines
    .slice(0, at)
    .flatMap((_, before) => (shape.pipelines[at].reads[before] ? before : []))

/** A fold forgets the numbers, so only a pipeline that nobody reads may have one. */
const folds = (shape: Shape, at: number) =>
  shape.pipelines[at].folds &&
  !shape.pipelines.some((_, later) => later > at && sourcesOf(shape, later).includes(at))

function yamlOf(shape: Shape): string {
  const pipelines = shape.pipelines.map(({ sieves, worker }, at) => {
    const sources = sourcesOf(shape, at).map(source => `pipeline/p${source}`)
    const stages = folds(shape, at) ? [...sieves, 'test_fold'] : sieves
    return `
    p${at}:
      receivers: [${sources.length > 0 ? sources.join(', ') : 'test_counter'}]
      processors: [${stages.join(', ')}]
      exporters: [test_collect/${at}]
      worker: ${worker}`
  })
  return `
receivers: { test_counter: { batches: ${shape.batches}, rows: ${shape.rows}, each: 5 } }
processors: { test_sieve: , test_sieve/two: { of: 2 }, test_fold: }
exporters: { ${shape.pipelines.map((_, at) => `test_collect/${at}:`).join(' , ')} }
service:
  telemetry: { endpoint: "" }
  pipelines:${pipelines.join('')}`
}

/** Numbers of the rows that leave each pipeline, as often as they do. */
function expected(shape: Shape): number[][] {
  const all = Array.from({ length: shape.batches * shape.rows }, (_, number) => number)
  const out: number[][] = []
  shape.pipelines.forEach(({ sieves }, at) => {
    const sources = sourcesOf(shape, at)
    const given = sources.length > 0 ? sources.flatMap(source => out[source]) : all
    out.push(given.filter(number => sieves.every(sieve => number % SIEVES[sieve] !== 0)))
  })
  return out
}

test('packets and rows of random graphs arrive as arithmetic says, on every branch', async () => {
  await fc.assert(
    fc.asyncProperty(shapes, async shape => {
      collected.clear()
      await runGraph({ yaml: yamlOf(shape) })
      expected(shape).forEach((numbers, at) => {
        const got = collected.get(`test_collect/${at}`)
        const packets = numbers.reduce((sum, number) => sum + (number % 7) + 1, 0)
        assert.equal(got?.packets, packets, `packets of p${at}`)
        if (!folds(shape, at)) assert.equal(got?.rows, numbers.length, `rows of p${at}`)
      })
    }),
    { numRuns: 25, endOnFailure: true, timeout: 60_000 },
  )
})

after(() => collected.clear())
