/**
 * The ledger: rows by outcome on every edge of the graph, counted by core so that no component can
 * forget.
 *
 * The promise that tests check to the row, for every stage:
 * in + created = out + filtered + folded + held + failed + refused.
 */
import type { LedgerEntry } from '../contract.ts'

export type EntryKind = 'receiver' | 'processor' | 'exporter'

/** Outcomes of a row. `held` is a level, all others only grow. */
export const OUTCOMES = [
  'in',
  'out',
  'created',
  'filtered',
  'folded',
  'held',
  'failed',
  'refused',
] as const
export type Outcome = (typeof OUTCOMES)[number]

/** One component on one pipeline. */
export class Account implements LedgerEntry {
  readonly kind: EntryKind
  readonly component: string
  readonly pipeline: string
  readonly rows: Record<Outcome, number> = {
    in: 0,
    out: 0,
    created: 0,
    filtered: 0,
    folded: 0,
    held: 0,
    failed: 0,
    refused: 0,
  }
  /** Seconds spent in the component's own code. */
  seconds = 0

  constructor(kind: EntryKind, component: string, pipeline: string) {
    this.kind = kind
    this.component = component
    this.pipeline = pipeline
  }
}

/** All accounts of one agent, and the counters that are no rows. */
export class Ledger {
  readonly accounts: Account[] = []
  readonly #byKey = new Map<string, Account>()
  /** `component\nname` -> count, from `host.count`. */
  readonly events = new Map<string, number>()
  /** `receiver\ncause` -> rows, from `host.lost`. */
  readonly lost = new Map<string, number>()

  account(kind: EntryKind, component: string, pipeline = ''): Account {
    const key = `${kind}\n${component}\n${pipeline}`
    let account = this.#byKey.get(key)
    if (!account) {
      account = new Account(kind, component, pipeline)
      this.#byKey.set(key, account)
      this.accounts.push(account)
    }
    return account
  }

  count(component: string, name: string, n: number): void {
    const key = `${component}\n${name}`
    this.events.set(key, (this.events.get(key) ?? 0) + n)
  }

  addLost(receiver: string, cause: string, rows: number): void {
    const key = `${receiver}\n${cause}`
    this.lost.set(key, (this.lost.get(key) ?? 0) + rows)
  }
}
