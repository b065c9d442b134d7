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
