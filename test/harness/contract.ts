/**
 * The contract as checks over any component: ours, found by the folder listing, and the examples'.
 * A new folder is checked before it has a test of its own.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { optionsOf } from '../../core/config/check.ts'
import { validate } from '../../core/config/validate.ts'
import { parseValue } from '../../core/config/yaml.ts'
import type { Batch, Columns, ConfigSpec, ProcessorDefinition, Property } from '../../core/index.ts'
import { MissingColumns, TapeWriter } from '../../core/index.ts'
import { loadPlugin } from '../../core/plugins.ts'
import { type Component, KINDS, listTypes, loadComponent } from '../../core/registry.ts'
import { root } from '../../core/root.ts'
import { flowColumns } from '../../receivers/flows/rows.ts'
import { batchOf, type Row } from './flow_batch.ts'
import { openStage } from './stage.ts'

export const EXAMPLES = ['receiver_connections', 'processor_site_names', 'exporter_webhook']

/** Every component of the house and of the examples. */
export async function allComponents(): Promise<Component[]> {
  const all: Component[] = []
  for (const kind of KINDS) {
    for (const type of listTypes(kind)) all.push(await loadComponent(kind, type))
  }
  for (const name of EXAMPLES) {
    all.push(...((await loadPlugin(join(root(), 'examples', name, 'index.js'))) as Component[]))
  }
  return all
}

/**
 * A configuration for each component that cannot do without or that must not touch this machine's
 * own links and ports; `FOLDER` is an empty folder.
 */
const CONFIGURATIONS: Readonly<Record<string, string>> = {
  flows: '{ interfaces: [lo], interval: 100ms }',
  replay: '{ path: FOLDER/a.tape, speed: max }',
  connections: '{ path: FOLDER/tcp }',
  filter: '{ where: "packets > 500.0" }',
  aggregate: '{ preset: [otel], interval: 1s }',
  site_names: '{ path: FOLDER/sites.csv }',
  console: '{ interval: 100ms }',
  flow_log: '{ path: FOLDER/flows.jsonl }',
  otlp: '{ endpoint: "127.0.0.1:1", tls: { insecure: true } }',
  prometheus: '{ endpoint: "127.0.0.1:0" }',
  webhook: '{ url: "http://127.0.0.1:1/" }',
}

/** Files that those configurations name, and a tape of one connection list. */
export async function makeFolder(): Promise<{ folder: string; remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'fovea_contract_'))
  const lines = '  0: 0100007F:1F40 0200010A:01BB 01 0\n  1: 0100007F:1F41 0200010A:01BB 01 0\n'
  writeFileSync(join(folder, 'tcp'), lines)
  writeFileSync(join(folder, 'sites.csv'), '10.0.0.0/8,office\n')
  const tables = { ticks: { time_us: 'number' } } as const
  const path = join(folder, 'a.tape')
  const tape = new TapeWriter(path, [{ id: 'ticks', type: 'ticks', config: {}, tables }])
  for (let i = 1; i <= 5; i++) tape.stream('ticks').append('tick', Uint8Array.of(i))
  await tape.close()
  return { folder, remove: () => rmSync(folder, { recursive: true }) }
}

export function yamlOf(type: string, folder: string): string {
  return (CONFIGURATIONS[type] ?? '{}').replaceAll('FOLDER', folder)
}

/** The component's configuration as it would receive it, or what core says is wrong. */
export function configure(
  component: Pick<Component, 'kind' | 'definition'>,
  yaml: string,
): { config: Readonly<Record<string, unknown>> | undefined; messages: string[] } {
  const node = parseValue(yaml, { file: 'test.yaml', line: 1, column: 1, folder: '/' })
  assert.ok(node)
  const { config, problems } = validate(node, optionsOf(component), '')
  return { config, messages: problems.map(({ path, message }) => `${path}: ${message}`) }
}

/** What is missing in a specification, one line each. */
export function specificationGaps(spec: ConfigSpec, prefix = ''): string[] {
  return Object.entries(spec).flatMap(([name, property]) => gapsOf(property, `${prefix}${name}`))
}

function gapsOf(property: Property, path: string): string[] {
  const gaps: string[] = []
  if (!/\w.*\.$/s.test(property.description)) gaps.push(`${path}: the description is no sentence`)
  if (!/^[a-z][a-z0-9_]*$/.test(path.split('.').at(-1)!.replace(/\[\]$/, ''))) {
    gaps.push(`${path}: not lower_snake_case`)
  }
  if (property.required && 'default' in property) {
    gaps.push(`${path}: required, and has a default`)
  }
  if (property.type === 'group') gaps.push(...specificationGaps(property.properties, `${path}.`))
  if (property.type === 'list') gaps.push(...gapsOf(property.items, `${path}[]`))
  if (property.type === 'map') gaps.push(...gapsOf(property.values, `${path}.name`))
  return gaps
}

/** Rows of flows, as the receiver gives them, all of it made from `seed`. */
export function flowRows(count: number, seed: number, lost: number): Batch {
  const rows = Array.from({ length: count }, (_, i): Row => {
    const n = Math.imul(seed * 7919 + i, 2654435761) >>> 0
    return {
      time_us: 1_760_000_000_000_000 + seed * 1e6 + i,
      start_us: 1_760_000_000_000_000,
      source_address: `10.0.${n % 3}.${n % 17}`,
      destination_address: n % 5 === 0 ? `2001:db8::${n % 9}` : `10.1.0.${n % 13}`,
      source_port: 30_000 + (n % 50),
      destination_port: 443,
      protocol: n % 4 === 0 ? 17 : 6,
      direction: 1 + (n % 2),
      interface: 3,
      packets: n % 1000,
      bytes: (n % 1000) * 1000,
      duplicate: n % 7 === 0 ? 1 : 0,
      flow_starts: n % 11 === 0 ? 1 : 0,
      flow_state: 1 + (n % 6),
    }
  })
  return batchOf('flows', flowColumns as Columns, rows, lost)
}

/**
 * Runs a stage over batches and ticks. `openStage` checks the ledger of rows and the columns at
 * each step; here also: nothing is kept after the last tick, and no input is changed.
 */
export function checkStage(definition: ProcessorDefinition, yaml: string): void {
  const tables = { flows: flowColumns as Columns }
  const stage = openStage(definition, tables, yaml)
  let lost = 0
  let lostOut = 0
  const take = (batches: readonly Batch[]): void => {
    for (const batch of batches) lostOut += batch.lost
  }
  for (let seed = 1; seed <= 6; seed++) {
    const batch = flowRows(200, seed, seed)
    const before = Buffer.from(batch.buffer.slice(0))
    const texts = [...batch.text]
    take(stage.put(batch))
    lost += batch.lost
    assert.ok(before.equals(Buffer.from(batch.buffer)), 'a batch is immutable')
    assert.deepEqual(batch.text, texts, 'a batch is immutable')
    take(stage.tick(1_760_000_000_000 + seed * 40_000))
  }
  take(stage.tick(1_760_000_400_000, true))
  assert.equal(stage.held(), 0, 'rows held after the final tick')
  if (Object.hasOwn(stage.tablesOut, 'flows')) assert.equal(lostOut, lost, 'lost before this stage')
}

/** A table that lacks everything: the stage must say what it misses, not fail later. */
export function checkRefusal(definition: ProcessorDefinition, yaml: string): void {
  const { config } = configure({ kind: 'processor', definition }, yaml)
  assert.throws(
    () => definition.plan({ other: { strange: 'u8' } }, config as never),
    (error: Error) => error instanceof MissingColumns || error.name === 'ConfigError',
  )
}
