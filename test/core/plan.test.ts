/**
 * Columns along pipelines: what a plan holds, what it refuses, and who is named as the remedy.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatProblem } from '../../core/errors.ts'
import {
  ConfigError,
  defineExporter,
  defineProcessor,
  defineReceiver,
  MissingColumns,
} from '../../core/index.ts'
import { planJson, planText } from '../../core/plan_text.ts'
import * as fixture from './config_fixture.ts'

const { mistakesIn, planOf, registryOf } = fixture

const TUPLE = { time_us: 'number', source_address: 'address', source_port: 'u16' }
const FLOWS = { ...TUPLE, bytes: 'number' }
const DROPS = { ...TUPLE, drop_reason: 'text' }
const NAMES = { source_pod: 'text', source_workload: 'text' }
const SERIES = { series: 'u32', value: 'number' }

const agent = (...pipelines: readonly string[]) => `receivers: { flows: , drops: , shaped: }
processors: { kubernetes: , aggregate: , aggregate/port: { by: source_port } }
exporters: { prometheus: , flow_log: { path: x } }
service:
  pipelines:
${pipelines.map(line => `    ${line}\n`).join('')}`

test('a pipeline of pipelines is planned in the order of its data, table by table', async () => {
  const plan = await planOf(
    agent(
      'metrics: { receivers: pipeline/named, processors: aggregate, exporters: prometheus }',
      'records: { receivers: pipeline/named, exporters: flow_log, worker: other }',
      'named: { receivers: [flows, drops], processors: kubernetes }',
    ),
  )
  const named = { flows: { ...FLOWS, ...NAMES }, drops: { ...DROPS, ...NAMES } }
  assert.deepEqual(plan.pipelines, [
    {
      name: 'named',
      worker: 'default',
      receivers: ['flows', 'drops'],
      pipelines: [],
      stages: [{ id: 'kubernetes', accepts: { flows: FLOWS, drops: DROPS }, tablesOut: named }],
      exporters: [],
      tablesIn: { flows: FLOWS, drops: DROPS },
      tablesOut: named,
    },
    {
      name: 'metrics',
      worker: 'default',
      receivers: [],
      pipelines: ['named'],
      stages: [{ id: 'aggregate', accepts: named, tablesOut: { series: SERIES } }],
      exporters: ['prometheus'],
      tablesIn: named,
      tablesOut: { series: SERIES },
    },
    {
      name: 'records',
      worker: 'other',
      receivers: [],
      pipelines: ['named'],
      stages: [],
      exporters: ['flow_log'],
      tablesIn: named,
      tablesOut: named,
    },
  ])
  assert.deepEqual(
    [plan.receivers, plan.processors, plan.exporters].map(list => list.map(({ id }) => id)),
    [
      ['flows', 'drops'],
      ['kubernetes', 'aggregate'],
      ['prometheus', 'flow_log'],
    ],
  )
  assert.equal(plan.receivers[0].folder, '/none/flows')
})

test('a table that a stage cannot serve passes it untouched', async () => {
  const shaped = { time_us: 'number', shape: 'u32' }
  const text = agent(
    'a: { receivers: [flows, shaped], processors: kubernetes, exporters: flow_log }',
  ).replace('shaped:', 'shaped: { table: other }')
  const [{ stages, tablesOut }] = (await planOf(text)).pipelines
  assert.deepEqual(stages[0].accepts, { flows: FLOWS })
  assert.deepEqual(tablesOut, { flows: { ...FLOWS, ...NAMES }, other: shaped })
})

const base = {
  summary: 'x',
  stability: 'beta',
  config: {},
  open: () => {
    throw new Error('a plan opens nothing')
  },
} as const

test('a column of another kind is not the column', async () => {
  const exporter = defineExporter({ ...base, needs: { time_us: 'text' } })
  const registry = registryOf({ flows: fixture.flows, lines: exporter })
  const contents = {
    'agent.yaml': `receivers: { flows: }
exporters: { lines: }
service: { pipelines: { a: { receivers: flows, exporters: lines } } }
`,
  }
  assert.deepEqual(await mistakesIn({ contents, registry }), [
    'agent.yaml:3:59 service.pipelines.a.exporters.0: ' +
      'lines needs time_us as text, but here it is number',
  ])
})

test('a component that states a kind which does not exist is at fault itself', async () => {
  const receiver = defineReceiver({ ...base, emits: { odd: { x: 'u64' as 'u32' } } })
  const processor = defineProcessor({
    ...base,
    plan: tables => ({ ...tables, y: { z: 'string' as 'text' } }),
  })
  const exporter = defineExporter({ ...base, needs: {} })
  const registry = registryOf({
    odd: receiver,
    twist: processor,
    any: exporter,
    flows: fixture.flows,
  })
  const contents = {
    'agent.yaml': `receivers: { odd: , flows: }
processors: { twist: }
exporters: { any: }
service:
  pipelines:
    a: { receivers: odd, exporters: any }
    b: { receivers: flows, processors: twist, exporters: any }
`,
  }
  const kinds = 'there are u8, u16, u32, number, address, text, bytes'
  assert.deepEqual(await mistakesIn({ contents, registry }), [
    'agent.yaml:1:14 receivers.odd: receiver odd is at fault: ' +
      `column x of table odd has the kind "u64"; ${kinds}`,
    'agent.yaml:7:40 service.pipelines.b.processors.0: processor twist is at fault: ' +
      `column z of table y has the kind "string"; ${kinds}`,
  ])
})

test('what one stage makes cannot meet another table of that name', async () => {
  const rename = defineProcessor({
    ...base,
    plan(tables) {
      if (!tables.drops) throw new MissingColumns(['drop_reason'])
      return { flows: tables.drops }
    },
  })
  const registry = registryOf({
    flows: fixture.flows,
    drops: fixture.drops,
    rename,
    any: defineExporter({ ...base, needs: {} }),
  })
  const contents = {
    'agent.yaml': `receivers: { flows: , drops: }
processors: { rename: }
exporters: { any: }
service: { pipelines: { a: { receivers: [flows, drops], processors: rename, exporters: any } } }
`,
  }
  assert.deepEqual(await mistakesIn({ contents, registry }), [
    'agent.yaml:4:69 service.pipelines.a.processors.0: ' +
      'table flows, which passes rename untouched, and rename both ' +
      'give a table "flows", but they differ in bytes and drop_reason; ' +
      'keep them in pipelines of their own',
  ])
})

test('a stage after one that lets nothing through is refused', async () => {
  const end = defineProcessor({ ...base, plan: () => ({}) })
  const registry = registryOf({
    flows: fixture.flows,
    end,
    kubernetes: fixture.kubernetes,
    any: defineExporter({ ...base, needs: {} }),
  })
  const contents = {
    'agent.yaml': `receivers: { flows: }
processors: { end: , kubernetes: }
exporters: { any: }
service:
  pipelines:
    a: { receivers: flows, processors: [end, kubernetes], exporters: any }
    b: { receivers: flows, processors: end, exporters: any }
`,
  }
  assert.deepEqual(await mistakesIn({ contents, registry }), [
    'agent.yaml:6:46 service.pipelines.a.processors.1: no table reaches kubernetes',
    'agent.yaml:7:56 service.pipelines.b.exporters.0: no table reaches any',
  ])
})

test('a receiver may be required, and its own options do not hear of it', async () => {
  const text = agent('a: { receivers: flows, exporters: flow_log }').replace(
    'flows: ,',
    'flows: { required: true },',
  )
  const plan = await planOf(text)
  assert.equal(plan.receivers[0].required, true)
  assert.equal('required' in plan.receivers[0].config, false)
})

test('an error that is no ConfigError is ours and passes through', async () => {
  const broken = defineProcessor({
    ...base,
    plan() {
      throw new TypeError('a bug')
    },
  })
  const registry = registryOf({ flows: fixture.flows, broken, flow_log: fixture.flowLog })
  const text = `receivers: { flows: }
processors: { broken: }
exporters: { flow_log: { path: x } }
service: { pipelines: { a: { receivers: flows, processors: broken, exporters: flow_log } } }
`
  await assert.rejects(planOf({ contents: { 'agent.yaml': text }, registry }), TypeError)
})

test('check prints what each stage adds, passes and ends, aligned, in 100 columns', async () => {
  const text = agent(
    'named: { receivers: [flows, shaped], processors: kubernetes }',
    'metrics: { receivers: pipeline/named, processors: aggregate, exporters: prometheus }',
  )
    .replace('shaped:', 'shaped: { table: other }')
    .replace('prometheus }', 'prometheus, worker: m }')
  assert.equal(
    planText(await planOf(text)),
    `pipeline named: flows, shaped -> kubernetes
  in          flows  time_us number, source_address address, source_port u16, bytes number
              other  time_us number, shape u32
  kubernetes  flows  adds source_pod text, source_workload text
              other  passes untouched

pipeline metrics (worker m): pipeline/named -> aggregate -> prometheus
  in          flows   time_us number, source_address address, source_port u16, bytes number,
                      source_pod text, source_workload text
              other   time_us number, shape u32
  aggregate   series  series u32, value number
              other   passes untouched
              flows   ends here
  prometheus          takes series; not other
`,
  )
})

test('check as JSON has the effective options with secrets masked', async () => {
  const text = agent('a: { receivers: flows, exporters: flow_log }').replace(
    'path: x',
    'path: x, headers: { authorization: "Bearer 123" }, timeout: 2s',
  )
  const json = planJson(await planOf(text))
  assert.deepEqual(json.pipelines, [
    {
      name: 'a',
      worker: 'default',
      receivers: ['flows'],
      tables_in: { flows: FLOWS },
      processors: [],
      exporters: [{ id: 'flow_log', takes: ['flows'], leaves: [] }],
    },
  ])
  const [exporter] = json.exporters as readonly Record<string, unknown>[]
  assert.deepEqual(exporter.config, {
    path: 'x',
    headers: { authorization: '[REDACTED]' },
    rotate: { size: 67_108_864, ages: [86_400_000] },
  })
  assert.equal(exporter.timeout, 2000)
  assert.doesNotMatch(JSON.stringify(json), /Bearer/)
})

test('problems are printed as file, line, column, path and message', () => {
  const error = new ConfigError([
    { file: 'a.yaml', line: 4, column: 5, path: 'x.y', message: 'no' },
    { file: '--set x.y', message: 'no' },
    { message: 'no' },
  ])
  assert.equal(error.message, 'a.yaml:4:5 x.y: no\n--set x.y no\nno')
  assert.equal(formatProblem({ path: 'x', message: 'no' }), 'x: no')
})
