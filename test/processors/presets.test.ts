/**
 * Presets are written in YAML and shipped as TypeScript with their expressions parsed, so that the
 * worker needs neither a YAML nor a CEL parser. This test compares the two; UPDATE=1 writes the
 * second anew.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import type { Columns } from '../../core/index.ts'
import type { MetricConfig, Written } from '../../processors/aggregate/grammar.ts'
import aggregate from '../../processors/aggregate/index.ts'
import { resolveMetrics } from '../../processors/aggregate/metrics.ts'
import { parseExpression } from '../../processors/parse.ts'
import { batchOf } from '../harness/flow_batch.ts'
import { openStage } from '../harness/stage.ts'

const folder = fileURLToPath(new URL('../../processors/aggregate/', import.meta.url))
const target = join(folder, 'presets.generated.ts')
const sources = readdirSync(join(folder, 'presets')).filter(name => name.endsWith('.yaml'))

function parsed(value: Written): Written {
  if (typeof value === 'object') return value
  const source = String(value)
  return /^\w+$/.test(source) ? source : parseExpression('preset', source)
}

/** One metric with every expression that is more than a name or a number as a tree. */
function prepared(metric: MetricConfig): MetricConfig {
  const { value, where, spread } = metric
  return {
    ...metric,
    ...(value !== undefined && { value: parsed(value) }),
    ...(where !== undefined && { where: parsed(where) }),
    ...(spread && {
      spread: {
        ...spread,
        values: Object.fromEntries(
          Object.entries(spread.values).map(([label, part]) => [label, parsed(part)]),
        ),
      },
    }),
  }
}

function generated(): string {
  const presets: Record<string, MetricConfig[]> = {}
  for (const name of sources.sort()) {
    const metrics = parse(readFileSync(join(folder, 'presets', name), 'utf8')) as MetricConfig[]
    presets[basename(name, '.yaml')] = metrics.map(prepared)
  }
  const body = JSON.stringify(presets, null, 2)
  return `/**
 * The presets of presets/*.yaml, expressions parsed. Written by test/processors/presets.test.ts
 * with UPDATE=1.
 */
import type { MetricConfig } from './grammar.ts'

export const PRESETS: Readonly<Record<string, readonly MetricConfig[]>> = ${body}
`
}

const BYTES = ['protocol', 'direction', 'duplicate']
const COUNTS = [
  ...['packets', 'bytes', 'flow_starts', 'handshake_us'],
  ...['syn', 'syn_ack', 'fin', 'rst', 'urg', 'ece', 'cwr'],
]

describe('presets', () => {
  test('the shipped presets are what the YAML files say', () => {
    const text = generated()
    if (process.env.UPDATE === '1') writeFileSync(target, text)
    assert.equal(
      readFileSync(target, 'utf8'),
      text,
      'run: UPDATE=1 node --test test/processors/presets.test.ts',
    )
  })

  test('every preset resolves without a mistake and names each metric once', () => {
    for (const name of sources) {
      const config = { interval: 15_000, idle_expiry: 300_000, series_max: 20_000, metrics: [] }
      const metrics = resolveMetrics({ ...config, preset: [basename(name, '.yaml')] })
      const names = metrics.map(metric => metric.definition.name)
      assert.equal(new Set(names).size, names.length)
      assert.ok(names.length > 0)
    }
  })

  test('a packet whose sender has no address yet counts to the family of its receiver', () => {
    const columns: Columns = {
      source_address: 'address',
      destination_address: 'address',
      ...Object.fromEntries(BYTES.map(name => [name, 'u8'])),
      ...Object.fromEntries(COUNTS.map(name => [name, 'number'])),
    }
    const stage = openStage(aggregate, { flows: columns }, '{ preset: [otel] }')
    const detection = { destination_address: 'ff02::1:ff00:6', protocol: 58, packets: 2 }
    stage.put(batchOf('flows', columns, [detection, { protocol: 250, packets: 3 }]))
    stage.tick(1000)
    const packets = stage.series().filter(({ name }) => name === 'fovea.network.packets')
    assert.deepEqual(
      packets.map(({ labels, values }) => [labels['network.type'], values[0]]),
      [
        ['ipv6', 2],
        ['', 3],
      ],
    )
  })
})
