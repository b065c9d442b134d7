/**
 * What the tests of the flow log share: logs in a folder of their own, batches of numbered rows,
 * and the lines that came of them.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { Batch, Exporter } from '../../../core/index.ts'
import flowLog from '../../../exporters/flow_log/index.ts'
import { batchOf } from '../../harness/flow_batch.ts'
import { type TestHost, testHost } from '../../harness/host.ts'

export const ROTATE = { size: 0, age: 0, keep: 8, compression: 'none' as const }
const CONFIG = { omit_empty: true, fsync: 'never' as const, rotate: ROTATE }
export const COLUMNS = {
  time_us: 'number',
  start_us: 'number',
  interface: 'u32',
  source_address: 'address',
  destination_address: 'address',
  source_port: 'u16',
  destination_port: 'u16',
  protocol: 'u8',
  packets: 'number',
  bytes: 'number',
  source_pod: 'text',
} as const
const NEVER = new AbortController().signal
export const folder = mkdtempSync(join(tmpdir(), 'flow_log_'))
after(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
export function newPath(): string {
  return join(folder, `test_${files++}`, 'flows.jsonl')
}

export function flows(count: number, first = 0, pod = 'web-1'): Batch {
  const rows = Array.from({ length: count }, (_, i) => ({
    time_us: 1_700_000_000_000_000 + first + i,
    source_address: '10.0.0.1',
    destination_address: '2001:db8::1',
    source_port: 40000,
    destination_port: 443,
    protocol: 6,
    packets: first + i,
    bytes: 1400,
    source_pod: pod,
  }))
  return batchOf('flows', COLUMNS, rows)
}

export type Config = Parameters<typeof flowLog.open>[0]
export async function openLog(
  config: Partial<Config> & { path: string },
): Promise<[Exporter, TestHost]> {
  const host = testHost({ id: 'flow_log' })
  return [await flowLog.open({ ...CONFIG, ...config }, host), host]
}

export function write(exporter: Exporter, batch: Batch, signal = NEVER): Promise<void> {
  return Promise.resolve(exporter.write(batch, { signal, series: undefined }))
}

export interface Line {
  readonly [column: string]: unknown
  readonly packets: number
}
export function linesOf(text: string): Line[] {
  if (text !== '') assert.equal(text.at(-1), '\n')
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
}
export function readLines(path: string): Line[] {
  return linesOf(readFileSync(path, 'utf8'))
}

/** Rotated files next to `path`, oldest first. */
export function rotatedOf(path: string): string[] {
  const parent = join(path, '..')
  const names = readdirSync(parent).filter(name => name !== 'flows.jsonl')
  return names.sort().map(name => join(parent, name))
}

export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    assert.ok(Date.now() < deadline, `never came: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
