/**
 * Sections, ids and what pipelines name: each mistake with the exact line that a person reads.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatProblem } from '../../core/errors.ts'
import { mistakesIn, planOf } from './config_fixture.ts'

const COMPONENTS = `receivers: { flows: , drops: }
processors: { kubernetes: }
exporters: { flow_log: { path: x } }
`
const pipelines = (...lines: readonly string[]) =>
  `${COMPONENTS}service:\n  pipelines:\n${lines.map(line => `    ${line}\n`).join('')}`

/** Text, then lines without `agent.yaml:`. */
const cases: readonly (readonly [name: string, text: string, said: readonly string[]])[] = [
  [
    "an unknown section is named; the Collector's have their own answers",
    `processor: {}\nconnectors: {}\nextensions: {}\nfoo: {}\n${pipelines('a: { receivers: flows, exporters: flow_log }')}`,
    [
      '1:1 processor: unknown section, did you mean "processors"?',
      '2:1 connectors: there are none: a pipeline reads another one with receivers: [pipeline/NAME]',
      '3:1 extensions: there are none: health and own metrics are service.telemetry, servers are exporters',
      '4:1 foo: unknown section; there are receivers, processors, exporters, plugins, service',
    ],
  ],
  [
    'a section of the wrong shape is named',
    'receivers: [flows]\nexporters: flow_log\nservice: []\n',
    [
      '1:12 receivers: expected a map of receivers by id',
      '2:12 exporters: expected a map of exporters by id',
      '3:10 service: expected a map of pipelines, telemetry and shutdown_timeout',
      '3:1 service.pipelines: there is no pipeline, so nothing would run; name at least one',
    ].toSorted(),
  ],
  [
    'an unknown type is named with the nearest one, or all that there are',
    `receivers: { flws: , ebpf: , prometheus: , pipeline/a: }\nservice: { pipelines: { a: { receivers: flws, exporters: x } } }\nexporters: { x: }\n`,
    [
      '1:14 receivers.flws: there is no receiver "flws", did you mean "flows"?',
      '1:22 receivers.ebpf: there is no receiver "ebpf"; there are drops, flows, shaped',
      '1:30 receivers.prometheus: "prometheus" is a type of exporter; write it under exporters',
      '1:44 receivers.pipeline/a: a pipeline is not configured here, only named in the receivers of a pipeline',
      '3:14 exporters.x: there is no exporter "x"; there are flow_log, prometheus',
    ],
  ],
  [
    'what is no id is refused, and so is one id in two spellings',
    `receivers:\n  9x: {}\n  flows/a b: {}\n  flows/: {}\n  flows / up: {}\n  flows/up: {}\n${pipelines('a: { receivers: flows, exporters: flow_log }').replace(/^receivers.*\n/, '')}`,
    [
      '2:3 receivers.9x: "9x" is no component id: a type is letters, digits and _, first a letter',
      '3:3 receivers.flows/a b: "flows/a b" is no component id: after the / comes a name without spaces and symbols',
      '4:3 receivers.flows/: "flows/" is no component id: after the / comes a name without spaces and symbols',
      '6:3 receivers.flows/up: "flows/up" is there already, written differently',
      '11:21 service.pipelines.a.receivers.0: "flows" is not configured, did you mean "flows/up"?',
    ],
  ],
  [
    'a pipeline can name only what is configured, in the right list',
    pipelines(
      'a: { receivers: [flow, flow_log], processors: aggregate, exporters: [flowlog, kubernetes] }',
    ),
    [
      '6:22 service.pipelines.a.receivers.0: "flow" is not configured, did you mean "flows"?',
      '6:28 service.pipelines.a.receivers.1: "flow_log" is configured under exporters, it cannot stand among receivers',
      '6:51 service.pipelines.a.processors.0: "aggregate" is not configured; add "aggregate:" under processors',
      '6:74 service.pipelines.a.exporters.0: "flowlog" is not configured, did you mean "flow_log"?',
      '6:83 service.pipelines.a.exporters.1: "kubernetes" is configured under processors, it cannot stand among exporters',
    ],
  ],
  [
    'a stage stands once in a list',
    pipelines(
      'a: { receivers: [flows, flows], processors: [kubernetes, kubernetes], exporters: flow_log }',
    ),
    [
      '6:29 service.pipelines.a.receivers.1: "flows" is twice in this list; keep one',
      '6:62 service.pipelines.a.processors.1: "kubernetes" is twice in this list; keep one',
    ],
  ],
  [
    'a pipeline that is read must be there',
    pipelines(
      'named: { receivers: flows }',
      'out: { receivers: [pipeline/name, pipeline/other], exporters: flow_log }',
    ),
    [
      '6:5 service.pipelines.named: leads nowhere; name exporters, or read it in another pipeline as pipeline/named',
      '7:24 service.pipelines.out.receivers.0: there is no pipeline "name", did you mean "pipeline/named"?',
      '7:39 service.pipelines.out.receivers.1: there is no pipeline "other"',
    ],
  ],
  [
    'pipelines that read in a circle are shown as the loop',
    pipelines(
      'a: { receivers: [pipeline/c], exporters: flow_log }',
      'b: { receivers: [pipeline/a, flows] }',
      'c: { receivers: [pipeline/b] }',
      'd: { receivers: [pipeline/d] }',
    ),
    [
      '6:5 service.pipelines.a: pipelines read in a circle: pipeline/a -> pipeline/c -> pipeline/b -> pipeline/a',
      '9:5 service.pipelines.d: pipelines read in a circle: pipeline/d -> pipeline/d',
    ],
  ],
  [
    'a pipeline has a beginning, an end, and a name without symbols',
    pipelines('a:', 'b: { receivers: flows }', '"c d": { receivers: flows, exporters: flow_log }'),
    [
      '6:5 service.pipelines.a: reads nothing; name receivers, or other pipelines as pipeline/NAME',
      '6:5 service.pipelines.a: leads nowhere; name exporters, or read it in another pipeline as pipeline/a',
      '7:5 service.pipelines.b: leads nowhere; name exporters, or read it in another pipeline as pipeline/b',
      '8:5 service.pipelines.c d: the name of a pipeline has no spaces and no symbols',
    ],
  ],
  [
    'service has options of its own, checked like all others',
    `${pipelines('a: { receivers: flows, exporters: flow_log, workers: x }')}  shutdown_timeout: 5\n  telemetry: { endpiont: x, otlp_interval: 1ms }\n`,
    [
      '6:49 service.pipelines.a.workers: unknown option, did you mean "worker"?',
      '7:21 service.shutdown_timeout: 5 has no unit; write 5s, or 5ms, 5m, 5h',
      '8:16 service.telemetry.endpiont: unknown option, did you mean "endpoint"?',
      '8:44 service.telemetry.otlp_interval: must be at least 1s',
    ],
  ],
]

for (const [name, text, said] of cases) {
  test(name, async () => {
    assert.deepEqual(
      await mistakesIn(text),
      said.map(line => `agent.yaml:${line}`),
    )
  })
}

test('what is configured but in no pipeline is a warning', async () => {
  const text = pipelines('a: { receivers: flows, exporters: flow_log }')
  const plan = await planOf(text)
  assert.deepEqual(plan.warnings.map(formatProblem), [
    'agent.yaml:1:23 receivers.drops: is in no pipeline, so it does nothing',
    'agent.yaml:2:15 processors.kubernetes: is in no pipeline, so it does nothing',
  ])
  assert.deepEqual(
    plan.receivers.map(({ id }) => id),
    ['flows'],
  )
})

test('the queue is measured in what its sizer says', async () => {
  const queue = async (options: string) => {
    const text = pipelines(
      `a: { receivers: [flows, drops], processors: kubernetes, exporters: flow_log }`,
    )
    const given = text.replace('path: x', `path: x, sending_queue: { ${options} }`)
    const said = await mistakesIn(given)
    return said.length > 0 ? said : (await planOf(given)).exporters[0].queue
  }
  const bytes = { sizer: 'bytes', queue_size: 16 * 2 ** 20, overflow: 'drop_oldest' }
  assert.deepEqual(await queue(''), bytes)
  assert.deepEqual(await queue('queue_size: 1MiB'), { ...bytes, queue_size: 2 ** 20 })
  assert.deepEqual(await queue('sizer: requests'), {
    ...bytes,
    sizer: 'requests',
    queue_size: 1000,
  })
  assert.deepEqual(await queue('sizer: items, queue_size: 5, overflow: block'), {
    sizer: 'items',
    queue_size: 5,
    overflow: 'block',
  })
  const at = 'agent.yaml:3:64 exporters.flow_log.sending_queue.queue_size:'
  assert.deepEqual(await queue('queue_size: 1000'), [
    `${at} 1000 has no unit; write 1000B, or 1000KiB, 1000MiB, 1000GiB`,
  ])
  assert.deepEqual(await queue('queue_size: 0'), [`${at} must be more than 0`])
  assert.deepEqual(await queue('queue_size: 1MiB, sizer: items'), [
    `${at} with sizer items this is a whole number of at least 1, got "1MiB"`,
  ])
})

test('retry, timeout and service have the defaults of the Collector', async () => {
  const plan = await planOf(pipelines('a: { receivers: flows, exporters: flow_log }'))
  assert.deepEqual(plan.exporters[0].retry, {
    enabled: true,
    initial_interval: 5000,
    max_interval: 30_000,
    max_elapsed_time: 300_000,
    multiplier: 1.5,
    randomization_factor: 0.5,
  })
  assert.equal(plan.exporters[0].timeoutMs, 5000)
  assert.deepEqual(plan.service, {
    shutdown_timeout: 10_000,
    telemetry: {
      endpoint: '127.0.0.1:9465',
      otlp_endpoint: '',
      otlp_interval: 60_000,
      resource: {},
    },
  })
})
