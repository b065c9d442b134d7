/**
 * OpenTelemetry's names in Prometheus' spelling, by the examples of the OpenTelemetry
 * specification and ours.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MetricDefinition } from '../../../core/series.ts'
import { labelGroups, prometheusLabel, prometheusName } from '../../../exporters/names.ts'

function family(name: string, unit: string, type: MetricDefinition['type'] = 'counter'): string {
  return prometheusName({ name, unit, type }).family
}

test('dots become underscores and units become words behind the name', () => {
  assert.equal(family('fovea.flow.bytes', 'By'), 'fovea_flow_bytes')
  assert.equal(family('fovea.flow.io', 'By'), 'fovea_flow_io_bytes')
  assert.equal(family('fovea.flow.packets', '{packet}'), 'fovea_flow_packets')
  assert.equal(family('fovea.dns.duration', 's', 'histogram'), 'fovea_dns_duration_seconds')
  assert.equal(family('fovea.memory.use', '1', 'gauge'), 'fovea_memory_use_ratio')
  assert.equal(family('fovea.things', '1'), 'fovea_things')
  assert.equal(family('fovea.speed', 'By/s', 'gauge'), 'fovea_speed_bytes_per_second')
  assert.equal(family('fovea.rate', '{packet}/s', 'gauge'), 'fovea_rate_per_second')
  assert.equal(family('cpu.use', '%', 'gauge'), 'cpu_use_percent')
  assert.equal(family('room.heat', 'Cel', 'gauge'), 'room_heat_celsius')
})

test('a suffix that is there already is not added again', () => {
  assert.equal(family('sent.bytes', 'By'), 'sent_bytes')
  assert.equal(family('sent.bytes.total', 'By'), 'sent_bytes')
  assert.equal(family('requests.total', '{request}'), 'requests')
  assert.equal(family('all.total', '', 'gauge'), 'all_total')
})

test('what Prometheus forbids is replaced', () => {
  assert.equal(family('a--b..c', '', 'gauge'), 'a_b_c')
  assert.equal(family('2nd.try', '', 'gauge'), '_2nd_try')
  assert.equal(family('größe', '', 'gauge'), 'gr_e')
  assert.equal(prometheusLabel('source.k8s.pod.name'), 'source_k8s_pod_name')
  assert.equal(prometheusLabel('4xx'), 'key_4xx')
})

test('labels that fall together are joined in the order of their own names', () => {
  assert.deepEqual(labelGroups(['b.c', 'x', 'b_c', 'b-c']), [
    ['b_c', [3, 0, 2]],
    ['x', [1]],
  ])
})
