/**
 * Expressions and the filter: each operator against plain JavaScript over the same rows, each
 * mistake by its text.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { evaluate } from '@marcbachmann/cel-js'
import fc from 'fast-check'
import type { Batch, Columns } from '../../core/index.ts'
import { ConfigError, MissingColumns } from '../../core/index.ts'
import filter from '../../processors/filter/index.ts'
import { batchOf, type Row } from '../harness/flow_batch.ts'
import { openStage } from '../harness/stage.ts'

const columns = {
  bytes: 'number',
  source_address: 'address',
  destination_address: 'address',
  interface: 'u32',
  source_pod: 'text',
  destination_pod: 'text',
  tcp_flags: 'u16',
  protocol: 'u8',
} as const satisfies Columns

const rows: readonly Row[] = [
  row(10, '10.1.2.3', 'web-1', 3, 6),
  row(2000, 'fd00::1', 'web-2', 18, 6),
  row(0.5, '192.168.1.1', 'db-0', 0, 17),
  row(4096, '::', '', 0, 58),
]

function row(bytes: number, source_address: string, pod: string, tcp_flags: number, proto: number) {
  const destination_pod = bytes > 1000 ? pod : 'web-1'
  const destination_address = '10.1.2.3'
  const values = { bytes, source_address, destination_address, source_pod: pod, destination_pod }
  return { ...values, tcp_flags, protocol: proto, interface: 7 }
}

const batch = batchOf('flows', columns, rows)

/** Bytes of the rows that pass. */
function passing(where: string): number[] {
  const stage = openStage(filter, { flows: columns }, JSON.stringify({ where }))
  return stage.put(batch).flatMap(({ data, length }) => {
    return [...(data.bytes as Float64Array).subarray(0, length)]
  })
}

function refusal(where: string, tables: Columns = columns): Error {
  try {
    filter.plan({ flows: tables }, { where, tables: [] })
  } catch (error) {
    return error as Error
  }
  throw new Error(`${where} was accepted`)
}

describe('filter', () => {
  const cases: [string, number[]][] = [
    ['bytes > 10', [2000, 4096]],
    ['bytes >= 10 && bytes < 4096', [10, 2000]],
    ['bytes == 0.5 || bytes == 10.0', [10, 0.5]],
    ['!(protocol == 6)', [0.5, 4096]],
    ['protocol != 6', [0.5, 4096]],
    ['bytes / 2 + 1 <= 6 - 2 * 0', [10, 0.5]],
    ['bytes % 2 == 0', [10, 2000, 4096]],
    ['-bytes < -1000', [2000, 4096]],
    ['protocol in [6, 58]', [10, 2000, 4096]],
    ['protocol in [1, 2, 3, 4, 5, 6, 7, 8, 9, 17]', [10, 2000, 0.5]],
    ['protocol in []', []],
    ['(protocol == 6 ? bytes : 5000) > 1000', [2000, 0.5, 4096]],
    ['protocol == 6 ? bytes > 100 : false', [2000]],
    ['source_pod == "web-1"', [10]],
    ['"web-1" != source_pod', [2000, 0.5, 4096]],
    ['source_pod == ""', [4096]],
    ['source_pod == destination_pod', [10, 2000, 4096]],
    ['source_pod in ["web-1", "db-0", "nobody"]', [10, 0.5]],
    ['source_pod in ["a", "b", "c", "d", "e", "f", "g", "h", "db-0"]', [0.5]],
    ['source_pod.startsWith("web-")', [10, 2000]],
    ['source_pod.endsWith("-1") || startsWith(source_pod, "db")', [10, 0.5]],
    ['source_pod.contains("b-")', [10, 2000, 0.5]],
    ['source_pod.matches("^web-[2-9]$")', [2000]],
    ['(bytes > 100 ? "nobody" : "no-one") == "somebody"', []],
    ['"nobody" == "no-one"', []],
    ['source_address == "10.1.2.3"', [10]],
    ['source_address != "fd00:0::1"', [10, 0.5, 4096]],
    ['source_address == destination_address', [10]],
    ['source_address in ["10.1.2.3", "::"]', [10, 4096]],
    ['in_network(source_address, "10.0.0.0/8", "fd00::/8")', [10, 2000]],
    ['in_network(source_address, "0.0.0.0/0")', [10, 0.5]],
    ['in_network(source_address, "::/0")', [10, 2000, 0.5, 4096]],
    ['has_flag(tcp_flags, "SYN")', [10, 2000]],
    ['has_flag(tcp_flags, "SYN", "ACK")', [2000]],
    ['true', [10, 2000, 0.5, 4096]],
  ]
  for (const [where, expected] of cases) {
    test(`${where} passes ${expected.length} of 4 rows`, () => {
      assert.deepEqual(passing(where), expected)
    })
  }

  test('numbers compare and compute as CEL itself does over doubles', () => {
    const operator = fc.constantFrom('<', '<=', '>', '>=', '==', '!=')
    const arithmetic = fc.constantFrom('+', '-', '*')
    const number = fc.integer({ min: -50, max: 50 })
    const source = fc
      .tuple(arithmetic, number, operator, arithmetic, number, number)
      .map(([a, x, op, b, y, z]) => `(bytes ${a} ${x}.0) ${op} (bytes ${b} ${y}.0 + ${z}.0)`)
    fc.assert(
      fc.property(source, where => {
        const expected = rows.filter(({ bytes }) =>
          evaluate(where.replaceAll('bytes', 'n'), { n: bytes }),
        )
        assert.deepEqual(
          passing(where),
          expected.map(({ bytes }) => bytes),
        )
      }),
    )
  })

  test('a batch whose rows all pass is handed on by reference, one without rows too', () => {
    const stage = openStage(filter, { flows: columns }, 'where: interface == 7')
    assert.equal(stage.put(batch)[0], batch)
    const empty = batchOf('flows', columns, [])
    assert.equal(stage.put(empty)[0], empty)
  })

  test('a batch of which nothing passes is gone, and its rows are counted', () => {
    const stage = openStage(filter, { flows: columns }, 'where: interface == 8')
    assert.deepEqual(stage.put(batch), [])
    assert.equal(stage.host.counts.filtered, 4)
  })

  test('kept rows carry every kind of column, and share nothing writable with the input', () => {
    const packets = { ...columns, data: 'bytes' } as const
    const cells = rows.map((cells, i) => ({ ...cells, data: new Uint8Array(i + 1).fill(i + 1) }))
    const input = { ...batchOf('packets', packets, cells, 9), dictionary: 3 }
    const stage = openStage(filter, { packets }, 'where: protocol != 6')
    const [out] = stage.put(input) as Batch<typeof packets>[]
    const expected = batchOf('packets', packets, cells.slice(2))
    assert.equal(out.length, 2)
    assert.notEqual(out.buffer, input.buffer)
    assert.deepEqual([out.table, out.lost, out.dictionary], ['packets', 9, 3])
    for (const name of ['bytes', 'interface', 'tcp_flags', 'protocol'] as const) {
      assert.deepEqual(out.data[name].subarray(0, 2), expected.data[name].subarray(0, 2), name)
    }
    const addresses = out.data.source_address.subarray(0, 32)
    assert.deepEqual(addresses, expected.data.source_address.subarray(0, 32))
    assert.deepEqual(
      [...out.data.source_pod.subarray(0, 2)].map(id => out.text[id]),
      ['db-0', ''],
    )
    assert.deepEqual([...out.data.data.end.subarray(0, 2)], [3, 7])
    assert.deepEqual([...out.data.data.blob.subarray(0, 7)], [3, 3, 3, 4, 4, 4, 4])
  })

  test('tables that are not named pass untouched', () => {
    const config = { where: 'protocol == 6', tables: ['drops'] }
    assert.throws(() => filter.plan({ flows: columns }, config), MissingColumns)
    assert.deepEqual(filter.plan({ drops: columns }, config), { drops: columns })
  })

  test('columns that a table lacks are named with their place', () => {
    const error = refusal('bytes > 1 && source_pd == "a" && packets > 0')
    assert.ok(error instanceof MissingColumns)
    assert.deepEqual(error.columns, ['source_pd', 'packets'])
    assert.match(error.message, /source_pd \(at character 14 of ".*"\)/)
  })

  const at = (n: number, where: string) => ` (at character ${n} of "${where}")`
  const mistakes: [string, number, string][] = [
    ['bytes', 1, 'where: bytes is a number, but a boolean is needed here'],
    ['bytes > "x"', 9, 'where: this is a text, but a number is needed here'],
    ['bytes > source_pod', 9, 'where: source_pod is a text, but a number is needed here'],
    ['bytes == "x"', 1, 'where: a number and a text are never equal'],
    ['source_pod == source_address', 1, 'where: a text and an address are never equal'],
    ['protocol in ["tcp"]', 14, 'where: a number and a text are never equal'],
    ['protocol in bytes', 13, 'where: after "in" a list of literals is needed: in [6, 17]'],
    ['bytes > 1 && ', 14, 'where: the expression ends too early'],
    ['bytes & 1 == 1', 7, 'where: & is no operator here; these exist: == != < <= > >= in && || !'],
    ['bytes === 1', 9, 'where: = is no operator here; these exist: == != < <= > >= in && || !'],
    ['source.pod == "a"', 1, 'where: . is not supported: columns have no fields and no elements'],
    ['null == bytes', 1, 'where: a value is a number, a text, true or false'],
    ['bytes < 9007199254740993', 9, 'where: a whole number is exact up to 2^53 only'],
    [
      'source_pod.startswith("a")',
      1,
      'where: unknown function startswith, did you mean "startsWith"?',
    ],
    [
      'source_pod.startsWith(destination_pod)',
      1,
      'where: startsWith takes one text in quotes: source_pod.startsWith("web-")',
    ],
    ['source_pod.matches("(")', 20, 'where: not a regular expression of JavaScript'],
    [
      'source_address == "10.0.0.0/8"',
      1,
      'where: 10.0.0.0/8 is a network: write in_network(column, "10.0.0.0/8")',
    ],
    [
      'in_network(source_address, "10.0.0.0/33")',
      28,
      'where: a network in quotes is needed: "10.0.0.0/8" or "fd00::/8"',
    ],
    [
      'has_flag(tcp_flags, "SIN")',
      21,
      'where: a flag is one of FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, NS',
    ],
    ['[1, 2]', 1, 'where: a list stands only after "in"'],
  ]
  for (const [where, position, message] of mistakes) {
    test(`${where} is refused: ${message.slice(7)}`, () => {
      const error = refusal(where)
      assert.ok(error instanceof ConfigError)
      assert.equal(error.message, message + at(position, where))
    })
  }

  test('raw bytes cannot be read', () => {
    const error = refusal('data == "x"', { data: 'bytes' })
    assert.match(error.message, /data holds raw bytes, which an expression cannot read/)
  })
})
