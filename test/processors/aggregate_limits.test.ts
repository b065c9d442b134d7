/**
 * What bounds the aggregation: limits with an exact overflow, expiry with ids that are used again,
 * bytes of a series.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { MetricConfig } from '../../processors/aggregate/grammar.ts'
import { Group } from '../../processors/aggregate/group.ts'
import { groupKernels, groupMetrics } from '../../processors/aggregate/groups.ts'
import { resolveMetrics } from '../../processors/aggregate/metrics.ts'
import { TextIds } from '../../processors/texts.ts'
import { batch, blank, count, course, metrics, open, play, read } from '../harness/aggregate.ts'
import type { SeriesLine } from '../harness/stage.ts'

describe('limits of aggregate', () => {
  test('beyond series_max the first stay, and the overflow keeps the sum of all rows', () => {
    const byPod: MetricConfig[] = [metrics[0], metrics[2]]
    fc.assert(
      fc.property(course, fc.integer({ min: 1, max: 8 }), (steps, series_max) => {
        const stage = play(open(byPod, { series_max }), steps)
        const whole = play(open(byPod), steps)
        const lines = stage.series()
        const overflow = lines.filter(({ labels }) => 'otel.metric.overflow' in labels)
        assert.ok(lines.length - overflow.length <= series_max)
        assert.ok(overflow.every(({ labels }) => labels['otel.metric.overflow'] === 'true'))
        for (const name of ['pod.packets', 'tcp.flags']) {
          const sum = (list: readonly SeriesLine[]) =>
            list.filter(line => line.name === name).reduce((total, l) => total + l.values[0], 0)
          assert.equal(sum(lines), sum(whole.series()))
        }
        const rows = steps.flatMap(([list]) => list)
        const first = rows.at(0)
        if (first) {
          const { pod } = first
          const own = lines.find(({ name, labels }) => name === 'pod.packets' && labels.pod === pod)
          const packets = rows.filter(r => r.pod === pod).reduce((sum, r) => sum + r.packets, 0)
          assert.equal(own?.values[0], packets, 'the first label set keeps its series')
        }
        const warnings = stage.host.lines.filter(({ level }) => level === 'warn')
        assert.ok(warnings.length <= 2, 'once per group')
      }),
    )
  })

  test('a metric may have a limit of its own', () => {
    const own = { ...metrics[0], series_max: 1 }
    const rows = ['a', 'b', 'c'].map(pod => ({ ...blank, pod, packets: 1 }))
    const lines = read(play(open([own, metrics[1]]), [[rows, 1]]).series())
    assert.deepEqual(lines['pod.packets{"pod":"a"}'], [1])
    assert.deepEqual(lines['pod.packets{"otel.metric.overflow":"true"}'], [2])
    assert.equal(Object.keys(lines).filter(key => key.startsWith('pod.rows')).length, 3)
  })

  test('an id is used again only after it was released, and then names the new series', () => {
    const stage = open([metrics[0]], { idle_expiry: '15s' })
    const put = (pod: string, packets: number) => stage.put(batch([{ ...blank, pod, packets }]))
    stage.tick(0)
    put('a', 5)
    stage.tick(15_000)
    stage.tick(45_000)
    assert.equal(stage.series().length, 0, 'a ended')
    put('a', 7)
    stage.tick(60_000)
    assert.deepEqual(read(stage.series()), { 'pod.packets{"pod":"a"}': [7] })
    assert.equal(stage.store.idsEnd, 2, 'id 0 was not released yet')
    stage.recorder.release([0])
    put('b', 9)
    stage.tick(75_000)
    put('c', 1)
    stage.tick(90_000)
    put('d', 1)
    stage.tick(105_000)
    assert.equal(stage.store.idsEnd, 4)
    assert.equal(stage.store.label(0, 0), 'c')
  })

  test('the values of all lives of a series add up to its rows', () => {
    fc.assert(
      fc.property(course, steps => {
        const stage = open([metrics[0]], { idle_expiry: '15s' })
        const ended = new Map<string, number>()
        let alive = new Map<string, { startUs: number; value: number }>()
        let nowMs = 1_700_000_000_000
        const look = () => {
          const now = new Map(
            stage.series().map(({ labels, startUs, values }) => {
              return [labels.pod, { startUs, value: values[0] }]
            }),
          )
          for (const [pod, { startUs, value }] of alive) {
            if (now.get(pod)?.startUs === startUs) continue
            ended.set(pod, (ended.get(pod) ?? 0) + value)
          }
          alive = now
        }
        stage.tick(nowMs)
        for (const [rows, seconds] of steps) {
          stage.put(batch(rows))
          nowMs += seconds * 1000
          stage.tick(nowMs)
          look()
        }
        stage.tick(nowMs + 1, true)
        look()
        for (const pod of new Set([...ended.keys(), ...alive.keys()])) {
          const rows = steps.flatMap(([list]) => list).filter(r => r.pod === pod)
          const sum = rows.reduce((total, r) => total + r.packets, 0)
          assert.equal((ended.get(pod) ?? 0) + (alive.get(pod)?.value ?? 0), sum)
        }
      }),
    )
  })

  test('a hundred thousand series of eight labels take at most 300 bytes each', () => {
    const names = [...'abcdefgh']
    const table = Object.fromEntries([...names, 'packets'].map(name => [name, 'text' as const]))
    const config = { preset: [], interval: 1, idle_expiry: 0, series_max: 1e6 }
    const list = [count('n', { by: names }), count('m', { by: names })]
    const [plan] = groupMetrics(resolveMetrics({ ...config, metrics: list }))
    const group = new Group(plan, groupKernels(plan, table).codecs)
    const texts = new TextIds()
    texts.begin(['', 'x'])
    texts.resolve(1)
    const words = new Uint32Array(8)
    for (let i = 0; i < 50_000; i++) {
      words[0] = 1
      words[7] = i % 2
      group.add(words, 0, i, 0, texts)
    }
    assert.equal(group.series, 100_000)
    let bytes = 0
    for (const value of [...Object.values(group), ...Object.values(group.table)]) {
      if (ArrayBuffer.isView(value)) bytes += value.byteLength
    }
    assert.ok(bytes / group.series > 20, 'the arrays were found')
    assert.ok(bytes / group.series <= 300, `${bytes / group.series} bytes a series`)
  })
})
