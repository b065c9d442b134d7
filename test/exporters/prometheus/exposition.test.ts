/**
 * The text itself: headers, merged families, labels, what OpenMetrics has besides, and series
 * that come and go while a scrape is under way.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BranchSeries, type MetricDefinition } from '../../../core/series.ts'
import { CHUNK_BYTES, Exposition } from '../../../exporters/prometheus/exposition.ts'
import { Families } from '../../../exporters/prometheus/families.ts'
import { SeriesFixture } from '../series_fixture.ts'
import { OPENMETRICS, opened, parse, sorted } from './opened.ts'

function metric(name: string, given: Partial<MetricDefinition> = {}): MetricDefinition {
  return { name, description: 'Things.', unit: '', type: 'counter', labels: [], ...given }
}

/** A scrape without `target_info`. */
function bodyOf(text: string): string[] {
  return text.trimEnd().split('\n').slice(3)
}

test('the classic format', async t => {
  const { write, scrape } = await opened(t)
  const fixture = new SeriesFixture([
    metric('fovea.flow.io', { unit: 'By', labels: ['pod.name', 'zone'] }),
    metric('fovea.dns.duration', { unit: 's', type: 'histogram', bounds: [0.5, 1] }),
    metric('fovea.open', { type: 'gauge', description: 'Two\nlines \\ "quoted".' }),
  ])
  fixture.born(0, 0, ['a"b\\c\nd', ''])
  fixture.born(1, 0, ['', ''])
  fixture.born(2, 1, [])
  fixture.born(3, 2, [])
  const batch = fixture.batch([
    { id: 0, values: [12_345_678_901_234] },
    { id: 1, values: [0] },
    { id: 2, values: [2.5, 6, 1, 2, 3] },
    { id: 3, values: [-1.5] },
  ])
  await write(batch, fixture.view)
  assert.deepEqual(bodyOf(await scrape()), [
    '# HELP fovea_dns_duration_seconds Things.',
    '# TYPE fovea_dns_duration_seconds histogram',
    'fovea_dns_duration_seconds_bucket{le="0.5"} 1',
    'fovea_dns_duration_seconds_bucket{le="1"} 3',
    'fovea_dns_duration_seconds_bucket{le="+Inf"} 6',
    'fovea_dns_duration_seconds_sum 2.5',
    'fovea_dns_duration_seconds_count 6',
    '# HELP fovea_flow_io_bytes_total Things.',
    '# TYPE fovea_flow_io_bytes_total counter',
    'fovea_flow_io_bytes_total{pod_name="a\\"b\\\\c\\nd"} 12345678901234',
    'fovea_flow_io_bytes_total 0',
    '# HELP fovea_open Two\\nlines \\\\ "quoted".',
    '# TYPE fovea_open gauge',
    'fovea_open -1.5',
  ])
})

test('OpenMetrics, with created lines when they are asked for', async t => {
  const { write, scrape } = await opened(t, { created: true })
  const fixture = new SeriesFixture([
    metric('fovea.flow.io', { unit: 'By', labels: ['pod'], description: 'Say "b".' }),
    metric('fovea.took', { unit: 's', type: 'histogram', bounds: [1], labels: ['pod'] }),
  ])
  fixture.born(0, 0, ['a'])
  fixture.born(1, 1, ['a'])
  const startUs = 1_700_000_000_250_000
  const points = [
    { id: 0, values: [5], startUs },
    { id: 1, values: [2, 3, 1, 2], startUs },
  ]
  await write(fixture.batch(points), fixture.view)
  const text = await scrape(OPENMETRICS)
  assert.deepEqual(bodyOf(text), [
    '# HELP fovea_flow_io_bytes Say \\"b\\".',
    '# TYPE fovea_flow_io_bytes counter',
    '# UNIT fovea_flow_io_bytes bytes',
    'fovea_flow_io_bytes_total{pod="a"} 5',
    'fovea_flow_io_bytes_created{pod="a"} 1700000000.25',
    '# HELP fovea_took_seconds Things.',
    '# TYPE fovea_took_seconds histogram',
    '# UNIT fovea_took_seconds seconds',
    'fovea_took_seconds_bucket{pod="a",le="1.0"} 1',
    'fovea_took_seconds_bucket{pod="a",le="+Inf"} 3',
    'fovea_took_seconds_sum{pod="a"} 2',
    'fovea_took_seconds_count{pod="a"} 3',
    'fovea_took_seconds_created{pod="a"} 1700000000.25',
    '# EOF',
  ])
  assert.ok(text.endsWith('# EOF\n'))
  assert.ok(!(await scrape()).includes('_created'))
})

test('the resource is in target_info, and on every series if so configured', async t => {
  const given = { resource: { 'k8s.cluster.name': 'c"1' }, resource_labels: ['host.name', 'zone'] }
  const { write, scrape } = await opened(t, given)
  const fixture = new SeriesFixture([
    metric('a', { labels: ['pod'] }),
    metric('b', { labels: ['host_name'] }),
    metric('c', { type: 'histogram', bounds: [] }),
  ])
  for (const [id, labels] of [['x'], ['own'], []].entries()) fixture.born(id, id, labels)
  const points = [[1], [2], [3, 1, 1]].map((values, id) => ({ id, values }))
  await write(fixture.batch(points), fixture.view)
  const text = await scrape()
  assert.deepEqual(text.split('\n').slice(0, 3), [
    '# HELP target_info What sends these metrics.',
    '# TYPE target_info gauge',
    'target_info{service_name="fovea",service_version="1.2.3",service_instance_id="instance-1",' +
      'host_name="node-1",k8s_cluster_name="c\\"1"} 1',
  ])
  const samples = bodyOf(text).filter(line => !line.startsWith('#'))
  assert.deepEqual(samples, [
    'a_total{host_name="node-1",pod="x"} 1',
    'b_total{host_name="own"} 2',
    'c_bucket{host_name="node-1",le="+Inf"} 1',
    'c_sum{host_name="node-1"} 3',
    'c_count{host_name="node-1"} 1',
  ])
})

test('a family of several dictionaries appears once', async t => {
  const { write, scrape } = await opened(t)
  for (const [dictionary, name] of ['fovea.io', 'other', 'fovea_io'].entries()) {
    const fixture = new SeriesFixture([metric(name, { labels: ['from'] })], dictionary + 1)
    fixture.born(0, 0, [`d${dictionary}`])
    await write(fixture.batch([{ id: 0, values: [dictionary] }]), fixture.view)
  }
  assert.deepEqual(bodyOf(await scrape()), [
    '# HELP fovea_io_total Things.',
    '# TYPE fovea_io_total counter',
    'fovea_io_total{from="d0"} 0',
    'fovea_io_total{from="d2"} 2',
    '# HELP other_total Things.',
    '# TYPE other_total counter',
    'other_total{from="d1"} 1',
  ])
})

test('a metric whose name another type has is left out, counted and said once', async t => {
  const { write, scrape, host } = await opened(t)
  const fixture = new SeriesFixture([
    metric('same', { type: 'gauge' }),
    metric('same', { type: 'counter' }),
    metric('same.count', { type: 'gauge' }),
    metric('target.info', { type: 'gauge' }),
    metric('took', { type: 'histogram', bounds: [] }),
    metric('took.sum', { type: 'gauge' }),
  ])
  for (let id = 0; id < 6; id++) fixture.born(id, id, [])
  const points = Array.from({ length: 6 }, (_, id) => ({ id, values: id === 4 ? [1, 2, 2] : [id] }))
  await write(fixture.batch(points), fixture.view)
  const names = new Set(parse(await scrape()).map(({ name }) => name))
  assert.deepEqual(
    [...names],
    ['target_info', 'same', 'same_count', 'took_bucket', 'took_sum', 'took_count'],
  )
  await scrape()
  assert.equal(host.counts.get('metrics_skipped'), 3)
  const said = host.lines.filter(line => line.startsWith('a metric is left out'))
  assert.equal(said.length, 3)
})

test('series with the same labels from two dictionaries are said and counted once', async t => {
  const { write, scrape, host } = await opened(t)
  for (const [dictionary, labels] of [['x', 'y'], ['z', 'y'], ['y']].entries()) {
    const fixture = new SeriesFixture([metric('io', { labels: ['from'] })], dictionary + 1)
    for (const [id, label] of labels.entries()) fixture.born(id, 0, [label])
    const points = labels.map((_, id) => ({ id, values: [id] }))
    await write(fixture.batch(points), fixture.view)
    assert.equal(host.counts.get('metrics_repeated') ?? 0, dictionary > 1 ? 1 : 0)
    await scrape()
    assert.equal(host.counts.get('metrics_repeated') ?? 0, dictionary > 0 ? 1 : 0)
  }
  const said = host.lines.filter(line => line.startsWith('two processors make the same series'))
  assert.equal(said.length, 1)
})

test('two pipelines that bring the same dictionary make each series appear once', async t => {
  const { write, scrape } = await opened(t)
  const fixture = new SeriesFixture([metric('a', { labels: ['i'] })])
  const other = new BranchSeries(fixture.store)
  for (const id of [0, 1, 2]) fixture.born(id, 0, [String(id)])
  const first = fixture.batch([{ id: 0, values: [1] }])
  await write(first, fixture.view)
  const batch = fixture.batch([{ id: 1, values: [2] }])
  other.mark(first)
  other.mark(batch)
  await write(batch, other)
  const samples = bodyOf(await scrape()).filter(line => !line.startsWith('#'))
  assert.deepEqual(samples, ['a_total{i="0"} 1', 'a_total{i="1"} 2'])
})

test('a series that dies is gone from the next scrape, and its id means another one', async t => {
  const { write, scrape } = await opened(t)
  const fixture = new SeriesFixture([metric('a', { labels: ['i'] }), metric('b')])
  fixture.born(0, 0, ['old'])
  fixture.born(1, 1, [])
  const points = [0, 1].map(id => ({ id, values: [id] }))
  await write(fixture.batch(points), fixture.view)
  fixture.gone(0)
  assert.equal((await scrape()).includes('old'), false)
  fixture.born(0, 0, ['new'])
  await write(fixture.batch([{ id: 0, values: [9] }]), fixture.view)
  const samples = bodyOf(await scrape()).filter(line => !line.startsWith('#'))
  assert.deepEqual(samples, ['a_total{i="new"} 9', 'b_total 1'])
})

test('thousands of births and deaths leave the text exact', async t => {
  const { write, scrape } = await opened(t)
  const fixture = new SeriesFixture([metric('a', { labels: ['i'] })])
  const living = new Map<number, string>()
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 200; i++) {
      const id = (round * 131 + i * 7) % 900
      if (living.has(id)) {
        fixture.gone(id)
        living.delete(id)
      } else {
        const label = `${round}-${i}-${'x'.repeat((i * 37) % 4000)}`
        fixture.born(id, 0, [label])
        living.set(id, label)
      }
    }
    await write(fixture.batch([...living.keys()].map(id => ({ id, values: [id] }))), fixture.view)
  }
  const expected = [...living].map(([id, i]) => ({ name: 'a_total', labels: { i }, value: id }))
  const samples = parse(await scrape()).filter(({ name }) => name === 'a_total')
  assert.deepEqual(sorted(samples), sorted(expected))
})

test('while a chunk is on its way series may die and ids change hands', () => {
  const fixture = new SeriesFixture([
    metric('a', { labels: ['i'] }),
    metric('b', { labels: ['i'] }),
  ])
  for (let id = 0; id < 5000; id++) fixture.born(id, 0, [`first-${id}`])
  fixture.batch(Array.from({ length: 5000 }, (_, id) => ({ id, values: [id] })))
  const families = new Families([], assert.fail, assert.fail)
  families.add(fixture.view)
  families.refresh()
  const options = { format: 'text', created: false, target: '' } as const
  const chunks = new Exposition(families.list, options, Buffer.alloc(CHUNK_BYTES)).chunks()
  let text = String(chunks.next().value)
  // The series that did not fit any more dies, and so do all from 4000 on; some ids live on.
  const next = text.match(/^a_total/gm)?.length ?? 0
  const dead = [next, ...Array.from({ length: 1000 }, (_, i) => 4000 + i)]
  for (const id of dead) fixture.gone(id)
  for (const id of dead.slice(0, 500)) fixture.born(id, 1, [`second-${id}`])
  fixture.batch(dead.slice(0, 500).map(id => ({ id, values: [7] })))
  families.refresh()
  for (const chunk of chunks) text += chunk
  const living = Array.from({ length: 4000 }, (_, id) => id).filter(id => id !== next)
  const expected = [
    ...living.map(id => `a_total{i="first-${id}"} ${id}`),
    ...dead.slice(0, 500).map(id => `b_total{i="second-${id}"} 7`),
  ]
  const samples = text.split('\n').filter(line => /^[ab]_total/.test(line))
  assert.deepEqual(samples, expected)
})

test('a series that is larger than a chunk is written whole', async t => {
  const { write, scrape } = await opened(t)
  const bounds = Array.from({ length: 200 }, (_, i) => i)
  const fixture = new SeriesFixture([
    metric('big', { labels: ['i'] }),
    metric('bigger', { labels: ['i'], type: 'histogram', bounds }),
  ])
  const label = 'ü'.repeat(100_000)
  fixture.born(0, 0, [label])
  fixture.born(1, 1, ['y'.repeat(2000)])
  const own = Array.from({ length: 201 }, () => 1)
  const points = [
    { id: 0, values: [1] },
    { id: 1, values: [5, 201, ...own] },
  ]
  await write(fixture.batch(points), fixture.view)
  const samples = parse(await scrape())
  assert.equal(samples.find(({ name }) => name === 'big_total')?.labels.i, label)
  const buckets = samples.filter(({ name }) => name === 'bigger_bucket')
  assert.deepEqual(
    buckets.map(({ value }) => value),
    Array.from({ length: 201 }, (_, i) => i + 1),
  )
})
