/**
 * Rows as log records: names, types and times, what is left out, and requests of bounded size.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { BatchWriter, type Columns } from '../../../core/batch.ts'
import { RetryableError } from '../../../core/errors.ts'
import { attributeOf } from '../../../exporters/otlp/attributes.ts'
import { protocolName } from '../../../processors/maps.ts'
import { type ColumnFacts, columnDictionary } from '../../../receivers/columns.ts'
import { decodeLogs, plain, recordsOf } from './decode.ts'
import { type Given, opened } from './opened.ts'
import { grpcServer } from './servers.ts'

const COLUMNS = {
  time_us: 'number',
  start_us: 'number',
  source_address: 'address',
  destination_address: 'address',
  source_port: 'u16',
  destination_port: 'u16',
  protocol: 'u8',
  direction: 'u8',
  packets: 'number',
  rtt_us: 'u32',
  source_pod: 'text',
  source_label_app: 'text',
  drop_reason: 'text',
  answers: 'text',
  value: 'number',
  data: 'bytes',
} as const satisfies Columns

const IPV4 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 0, 5]
const IPV6 = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]

function twoRows() {
  const writer = new BatchWriter('drops', COLUMNS, 2, 16)
  const { data } = writer
  const numbers = {
    time_us: [1_700_000_000_123_456, 1_700_000_001_000_000],
    start_us: [1_700_000_000_000_001, 0],
    source_port: [443, 0],
    destination_port: [50_000, 1],
    protocol: [6, 200],
    direction: [2, 0],
    packets: [3, 9_007_199_254_740_991],
    rtt_us: [1500, 0],
    value: [7, 0.5],
  }
  for (const [name, values] of Object.entries(numbers)) {
    data[name as keyof typeof numbers].set(values)
  }
  data.source_address.set(IPV4, 0)
  data.destination_address.set(IPV6, 0)
  data.source_pod[0] = writer.textId('web-1')
  data.source_label_app[0] = writer.textId('shöp')
  data.drop_reason[0] = writer.textId('NETFILTER_DROP')
  data.answers[0] = writer.textId('10.0.0.1,a.example')
  data.data.blob.set([1, 2, 3, 4])
  data.data.end.set([4, 4])
  writer.length = 2
  return writer.done()
}

async function start(test: TestContext, given: Given = {}) {
  const server = await grpcServer()
  test.after(server.close)
  const exporter = await opened(test, { endpoint: `127.0.0.1:${server.port}`, ...given })
  return { server, ...exporter }
}

test('a row is a record with typed attributes, and what is empty is left out', async t => {
  const { server, write } = await start(t, { resource: { 'k8s.cluster.name': 'c1' } })
  await write(twoRows())
  assert.equal(server.received[0].signal, 'logs')
  const [{ resource, scope_logs }] = decodeLogs(server.received[0].body).resource_logs
  assert.deepEqual(plain(resource.attributes), {
    'service.name': 'fovea',
    'service.version': '1.2.3',
    'service.instance.id': 'instance-1',
    'host.name': 'node-1',
    'k8s.cluster.name': 'c1',
  })
  assert.deepEqual(scope_logs[0].scope, { name: 'fovea', version: '1.2.3' })
  const [first, second] = scope_logs[0].log_records
  assert.equal(first.event_name, 'fovea.drops')
  assert.equal(first.time_unix_nano, '1700000000123456000')
  assert.equal(first.body ?? undefined, undefined)
  assert.deepEqual(plain(first.attributes), {
    'fovea.start_us': 1_700_000_000_000_001n,
    'source.address': '10.1.0.5',
    'destination.address': '2001:db8::1',
    'source.port': 443n,
    'destination.port': 50_000n,
    'network.transport': 'tcp',
    'network.io.direction': 'transmit',
    'network.io.packets': 3n,
    'fovea.rtt_us': 1500n,
    'source.k8s.pod.name': 'web-1',
    'source.k8s.pod.label.app': 'shöp',
    'fovea.drop_reason': 'NETFILTER_DROP',
    'dns.answers': ['10.0.0.1', 'a.example'],
    'fovea.value': 7,
    'fovea.data': Buffer.from([1, 2, 3, 4]),
    'network.type': 'ipv4',
  })
  assert.deepEqual(plain(second.attributes), {
    'destination.port': 1n,
    'network.transport': '200',
    'network.io.packets': 9_007_199_254_740_991n,
    'fovea.value': 0.5,
  })
})

test('the observed time is that of the first attempt', async t => {
  const { server, write } = await start(t)
  const before = BigInt(Date.now()) * 1_000_000n
  await write(twoRows())
  const after = BigInt(Date.now()) * 1_000_000n
  for (const record of recordsOf(server.received.map(({ body }) => body))) {
    const observed = BigInt(record.observed_time_unix_nano)
    assert.ok(observed >= before && observed <= after)
  }
})

const MANY = { time_us: 'number', packets: 'number', event: 'text' } as const satisfies Columns

function manyRows(rows: number) {
  const writer = new BatchWriter('flows', MANY, rows)
  for (let row = 0; row < rows; row++) {
    writer.data.time_us[row] = 1e15 + row
    writer.data.packets[row] = row
    writer.data.event[row] = writer.textId(`event-${row % 7}`)
  }
  writer.length = rows
  return writer.done()
}

const packetsOf = (bodies: readonly Buffer[]) =>
  recordsOf(bodies).map(({ attributes }) => Number(plain(attributes)['network.io.packets']))

test('after a failure in the middle only rows that were not acknowledged come again', async t => {
  const { server, write } = await start(t, { message_size_max: 4096 })
  server.script.push({}, {}, {}, { code: 14 })
  const batch = manyRows(1000)
  await assert.rejects(write(batch), RetryableError)
  const [refused] = server.received.splice(3)
  await write(batch)
  const bodies = server.received.map(({ body }) => body)
  assert.deepEqual(
    packetsOf(bodies),
    Array.from({ length: 1000 }, (_, row) => row),
  )
  assert.deepEqual(server.received[3].body, refused.body)
  for (const body of bodies) assert.ok(body.length <= 4096, `${body.length} bytes`)
})

test('a batch that core gave up does not change the next one', async t => {
  const { server, write } = await start(t, { message_size_max: 4096 })
  server.script.push({}, { code: 14 })
  await assert.rejects(write(manyRows(1000)), RetryableError)
  server.received.length = 0
  await write(manyRows(10))
  assert.deepEqual(
    packetsOf(server.received.map(({ body }) => body)),
    Array.from({ length: 10 }, (_, row) => row),
  )
})

test('a batch without rows sends nothing', async t => {
  const { server, write } = await start(t)
  await write(manyRows(0))
  assert.equal(server.received.length, 0)
})

test('names are those of the column dictionary, and protocols those of the aggregation', () => {
  for (const [column, { attribute }] of Object.entries<ColumnFacts>(columnDictionary)) {
    if (attribute === undefined) continue
    const [, end] = /^(source|destination)_/.exec(column) ?? []
    const named = end && !attribute.startsWith(`${end}.`) ? `${end}.${attribute}` : attribute
    assert.equal(attributeOf(column).name, named)
  }
  const { words = {} } = attributeOf('protocol')
  for (let protocol = 0; protocol < 256; protocol++) {
    assert.equal(words[protocol] ?? String(protocol), protocolName(protocol))
  }
})

test('columns of both ends are mapped alike, and a column without a name keeps its own', () => {
  const name = (column: string) => attributeOf(column).name
  assert.equal(name('source_workload'), 'source.k8s.workload.name')
  assert.equal(name('destination_workload'), 'destination.k8s.workload.name')
  assert.equal(name('destination_namespace_label_team'), 'destination.k8s.namespace.label.team')
  assert.equal(name('source_annotation_a.b/c'), 'source.k8s.pod.annotation.a.b/c')
  assert.equal(name('source_shoe_size'), 'fovea.source_shoe_size')
  assert.equal(name('tcp_flags'), 'fovea.tcp_flags')
})
