/**
 * Components and files for the tests of configurations: a registry of a few small components with
 * every kind of option, and one call that writes files and says what `fovea` would say.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConfigSources, loadConfig } from '../../core/config/load.ts'
import type { Definition } from '../../core/contract.ts'
import {
  ConfigError,
  defineExporter,
  defineProcessor,
  defineReceiver,
  MissingColumns,
} from '../../core/index.ts'
import { makePlan } from '../../core/plan.ts'
import type { Plan } from '../../core/plan_types.ts'
import type { Component, KINDS, Registry } from '../../core/registry.ts'

const unopened = () => {
  throw new Error('a plan opens nothing')
}
const base = { stability: 'beta', open: unopened } as const
const tuple = { time_us: 'number', source_address: 'address', source_port: 'u16' } as const

export const flows = defineReceiver({
  ...base,
  summary: 'Flows of the test',
  config: {
    interfaces: {
      type: 'list',
      items: { type: 'string', description: 'A glob.' },
      default: ['auto'],
      description: 'Which links.',
    },
    interval: {
      type: 'duration',
      default: '1s',
      minimum: '100ms',
      maximum: '1h',
      description: 'Time between two reads.',
    },
    buffer: { type: 'size', default: '8MiB', minimum: '4KiB', description: 'Room for rows.' },
    table_size: {
      type: 'integer',
      default: 65536,
      minimum: 1024,
      maximum: 1048576,
      description: 'Flows held.',
    },
    sample_rate: { type: 'number', default: 1, description: 'Share of flows.' },
    fragments: { type: 'boolean', default: false, description: 'Follow fragments.' },
    zone: { type: 'string', pattern: '^[a-z0-9-]*$', description: 'Where this is.' },
    level: {
      type: 'string',
      enum: ['packets', 'bytes', 'flows'],
      default: 'flows',
      description: 'What is counted.',
    },
  },
  emits: { ...tuple, bytes: 'number' },
})

export const drops = defineReceiver({
  ...base,
  summary: 'Drops of the test',
  config: {},
  emits: { drops: { ...tuple, drop_reason: 'text' } },
})

/** Emits a table of its own making. */
export const shaped = defineReceiver({
  ...base,
  summary: 'A table as configured',
  config: {
    table: { type: 'string', default: 'flows', description: 'Its name.' },
    kind: { type: 'string', default: 'u32', description: 'Kind of the column shape.' },
  },
  emits: config => ({ [config.table]: { time_us: 'number', shape: config.kind as 'u32' } }),
})

export const kubernetes = defineProcessor({
  ...base,
  summary: 'Names of the test',
  config: {
    labels: {
      type: 'list',
      items: { type: 'string', description: 'A key.' },
      default: [],
      description: 'Labels that become columns.',
    },
  },
  plan(tables) {
    const out: Record<string, Record<string, 'text'>> = {}
    for (const [table, columns] of Object.entries(tables)) {
      if (!columns.source_address) throw new MissingColumns(['source_address'])
      out[table] = { ...columns, source_pod: 'text', source_workload: 'text' } as never
    }
    return out
  },
})

export const aggregate = defineProcessor({
  ...base,
  summary: 'Sums of the test',
  config: {
    by: {
      type: 'list',
      items: { type: 'string', description: 'A column.' },
      default: ['source_workload'],
      description: 'Columns to sum by.',
    },
    interval: { type: 'duration', default: '15s', description: 'Time between two sums.' },
    where: { type: 'string', default: '', description: 'Rows that count.' },
  },
  plan(tables, config) {
    const [columns] = Object.values(tables)
    if (config.where === '((') {
      throw new ConfigError([{ path: 'where', message: 'column 3: a ) is missing' }])
    }
    const missing = config.by.filter(name => !columns[name])
    if (missing.length > 0) throw new MissingColumns(missing)
    return { series: { series: 'u32', value: 'number' } }
  },
})

export const prometheus = defineExporter({
  ...base,
  summary: 'Series of the test',
  config: {
    endpoint: { type: 'string', default: '127.0.0.1:9464', description: 'Where it listens.' },
    bearer_token: { type: 'secret', description: 'Who may read.' },
    tls: {
      type: 'group',
      optional: true,
      description: 'Encryption.',
      properties: {
        cert: { type: 'string', required: true, description: 'Certificate file. PEM.' },
        min_version: { type: 'string', enum: ['1.2', '1.3'], default: '1.2', description: 'TLS.' },
      },
    },
  },
  needs: { series: 'u32', value: 'number' },
})

export const flowLog = defineExporter({
  ...base,
  summary: 'Lines of the test',
  config: {
    path: { type: 'string', required: true, description: 'The file. It is created.' },
    headers: {
      type: 'map',
      values: { type: 'secret', description: 'A value.' },
      default: {},
      description: 'Sent along.',
    },
    rotate: {
      type: 'group',
      description: 'When a new file begins.',
      properties: {
        size: { type: 'size', default: '64MiB', description: 'At this size.' },
        ages: {
          type: 'list',
          items: { type: 'duration', description: 'An age.' },
          default: ['1d'],
          description: 'At these ages.',
        },
      },
    },
    shape: {
      type: 'json',
      schema: { type: 'object', properties: { deep: { type: 'integer' } } },
      description: 'Anything.',
    },
  },
  needs: config => [tuple, ...(config.path === '' ? [{}] : [])],
})

/** A registry of exactly these definitions by type. */
export function registryOf(definitions: object): Registry {
  const all = Object.entries(definitions as Record<string, Definition>)
  const of = (kind: string) => all.filter(([, definition]) => definition.kind === kind)
  return {
    plugins: [],
    types: kind =>
      of(kind)
        .map(([type]) => type)
        .sort(),
    async load<K extends (typeof KINDS)[number]>(kind: K, type: string) {
      const [, definition] = of(kind).find(([name]) => name === type)!
      return { kind, type, definition, folder: `/none/${type}`, source: 'test' } as Component<K>
    },
  }
}

const components = { flows, drops, shaped, kubernetes, aggregate, prometheus, flow_log: flowLog }
export const registry = registryOf(components)

export interface Given extends Omit<Partial<ConfigSources>, 'files'> {
  /** Content by file name; all are given as --config, in order, unless `files` says otherwise. */
  readonly contents: Readonly<Record<string, string>>
  readonly files?: readonly string[]
  readonly registry?: Registry
}

/** The plan of these files. */
export async function planOf(given: Given | string): Promise<Plan> {
  const whole: Given = typeof given === 'string' ? { contents: { 'agent.yaml': given } } : given
  const folder = mkdtempSync(join(tmpdir(), 'fovea-config-'))
  try {
    for (const [name, text] of Object.entries(whole.contents))
      writeFileSync(join(folder, name), text)
    const tree = loadConfig({
      files: whole.files ?? Object.keys(whole.contents),
      sets: whole.sets ?? [],
      env: whole.env ?? {},
      cwd: folder,
    })
    return await makePlan(tree, whole.registry ?? registry)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The lines that a user sees instead of a plan; none when there is nothing wrong. */
export async function mistakesIn(given: Given | string): Promise<string[]> {
  try {
    await planOf(given)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
}

/** A configuration that is right around a `flows` block of these lines. */
export function withFlows(...lines: readonly string[]): string {
  return [
    'receivers:',
    '  flows:',
    ...lines.map(line => `    ${line}`),
    'exporters: { flow_log: { path: x } }',
    'service: { pipelines: { all: { receivers: flows, exporters: flow_log } } }',
    '',
  ].join('\n')
}

/** The options that `flows` gets from these lines. */
export async function flowsConfig(
  lines: readonly string[],
  given: Partial<Given> = {},
): Promise<Readonly<Record<string, unknown>>> {
  const contents = { 'agent.yaml': withFlows(...lines), ...given.contents }
  const plan = await planOf({ ...given, contents, files: ['agent.yaml'] })
  return plan.receivers[0].config
}
