/**
 * What the agent says about itself: every edge of the graph, every queue, time and memory, as
 * observable instruments that read the ledger when somebody asks. Nothing is paid while nobody
 * does.
 */
import type { Meter, ObservableResult } from '@opentelemetry/api'
import type { AgentInfo } from './contract.ts'
import type { Branch } from './runtime/branch.ts'
import type { Account, Ledger, Outcome } from './runtime/ledger.ts'
import { OUTCOMES } from './runtime/ledger.ts'

export interface Observed {
  readonly ledger: Ledger
  branches(): Iterable<Branch>
}

export function observeAgent(meter: Meter, agent: AgentInfo, observed: Observed): void {
  observeRows(meter, observed.ledger)
  observeCounts(meter, observed.ledger)
  observeQueues(meter, observed)
  observeProcess(meter, agent)
}

const FLOWS: readonly Outcome[] = OUTCOMES.filter(outcome => outcome !== 'held')

function labelsOf({ kind, component, pipeline }: Account): Record<string, string> {
  return kind === 'receiver' ? { receiver: component } : { [kind]: component, pipeline }
}

function observeRows(meter: Meter, { accounts }: Ledger): void {
  const watch = (
    name: string,
    description: string,
    unit: string,
    observe: (result: ObservableResult) => void,
  ) => meter.createObservableCounter(name, { description, unit }).addCallback(observe)
  watch('fovea_receiver_rows', 'Rows that a receiver delivered.', '{row}', result => {
    for (const account of accounts) {
      if (account.kind === 'receiver') result.observe(account.rows.out, labelsOf(account))
    }
  })
  for (const kind of ['processor', 'exporter'] as const) {
    watch(`fovea_${kind}_rows`, `Rows by outcome, of each ${kind}.`, '{row}', result => {
      for (const account of accounts) {
        if (account.kind !== kind) continue
        for (const outcome of FLOWS) {
          result.observe(account.rows[outcome], { ...labelsOf(account), outcome })
        }
      }
    })
  }
  watch('fovea_component_seconds', "Time spent in a component's own code.", 's', result => {
    for (const account of accounts) result.observe(account.seconds, labelsOf(account))
  })
  meter
    .createObservableGauge('fovea_held_rows', { description: 'Rows a stage or a queue holds now.' })
    .addCallback(result => {
      for (const account of accounts) {
        if (account.kind !== 'receiver') result.observe(account.rows.held, labelsOf(account))
      }
    })
}

function observeCounts(meter: Meter, ledger: Ledger): void {
  const watch = (
    name: string,
    description: string,
    counts: Map<string, number>,
    [first, second]: readonly [string, string],
  ) =>
    meter.createObservableCounter(name, { description }).addCallback(result => {
      for (const [key, n] of counts) {
        const [component, what] = key.split('\n')
        result.observe(n, { [first]: component, [second]: what })
      }
    })
  watch('fovea_component_events', 'Counts that a component keeps of its own.', ledger.events, [
    'component',
    'event',
  ])
  watch('fovea_receiver_lost', 'Rows lost before they could be read, by cause.', ledger.lost, [
    'receiver',
    'cause',
  ])
}

function observeQueues(meter: Meter, observed: Observed): void {
  const gauge = (name: string, description: string, value: (branch: Branch) => number) =>
    meter.createObservableGauge(name, { description }).addCallback(result => {
      for (const branch of observed.branches()) {
        result.observe(value(branch), { exporter: branch.id })
      }
    })
  gauge('fovea_exporter_queue_size', 'Fill of the queue, in units of its sizer.', b => b.size)
  gauge('fovea_exporter_queue_capacity', 'Size of the queue, in the same units.', b => b.capacity)
}

function observeProcess(meter: Meter, agent: AgentInfo): void {
  meter
    .createObservableCounter('fovea_process_cpu_seconds', {
      description: 'CPU time of the agent, all threads.',
      unit: 's',
    })
    .addCallback(result => {
      const { user, system } = process.cpuUsage()
      result.observe((user + system) / 1e6)
    })
  meter
    .createObservableGauge('fovea_process_resident_memory_bytes', {
      description: 'Resident memory of the agent.',
      unit: 'By',
    })
    .addCallback(result => result.observe(process.memoryUsage.rss()))
  meter
    .createObservableGauge('fovea_process_uptime_seconds', {
      description: 'Time since the agent started.',
      unit: 's',
    })
    .addCallback(result => result.observe((Date.now() * 1000 - agent.startUs) / 1e6))
}
