/**
 * What the exporters cost, each figure beside that of the OpenTelemetry SDK's own exporter in the
 * same run.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Measured } from './exporters_child.ts'
import type { Figure } from './figure.ts'

const CHILD = fileURLToPath(new URL('exporters_child.ts', import.meta.url))

/** Series measured with; every measurement is a process that makes them anew. */
const ALL = 100_000
const FEW = 10_000

/** About a minute on two cores. */
export async function exporterRows(short = false): Promise<Figure[]> {
  const series = short ? FEW : ALL
  return [
    ...(await prometheusRows(series)),
    ...(await encodeRows(series)),
    ...(await grpcRows(series)),
  ]
}

async function prometheusRows(series: number): Promise<Figure[]> {
  const ours = await measure(series, 'prometheusOurs')
  const sdk = await measure(series, 'prometheusSdk')
  const name = `prometheus: ${series.toLocaleString('en')} series x 8 labels`
  return [
    row(`${name}, one scrape`, ours.ms, 'ms', ours.ms / sdk.ms, 0.1),
    {
      name: `${name}, memory above idle`,
      value: ours.extra / 1024,
      unit: 'KiB',
      limit: 256,
      note: `the SDK's serializer took ${Math.round(sdk.extra / 1024).toLocaleString('en')} KiB`,
    },
  ]
}

async function encodeRows(series: number): Promise<Figure[]> {
  const ours = await measure(series, 'encodeOurs')
  const sdk = await measure(series, 'encodeSdk')
  return [row('otlp: encode a point with 8 attributes', ours.ns, 'ns', ours.ns / sdk.ns, 0.05)]
}

async function grpcRows(series: number): Promise<Figure[]> {
  const receiver = spawn(process.execPath, [CHILD, '0', 'receive'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const port = String(await firstLine(receiver))
    const send = (who: string, ...rest: string[]) => measure(series, who, port, ...rest)
    const none = await send('grpcSdk', 'none')
    const gzip = await send('grpcSdk', 'gzip')
    const name = 'otlp: CPU of a point sent by gRPC, 8,192 a message'
    const plain = (await send('grpcOurs', 'none', '1')).ns
    const same = (await send('grpcOurs', 'gzip', '6')).ns
    const fast = (await send('grpcOurs', 'gzip', '1')).ns
    return [
      row(`${name}, no compression`, plain, 'ns', plain / none.ns, 0.4),
      row(`${name}, gzip level 6 as the SDK's`, same, 'ns', same / gzip.ns, 0.4),
      row(`${name}, gzip level 1 (default)`, fast, 'ns', fast / gzip.ns, 0.4),
    ]
  } finally {
    receiver.kill()
  }
}

/** `ratio` is ours to the SDK's exporter. */
function row(name: string, value: number, unit: string, ratio: number, goal: number): Figure {
  return { name, value, unit, ratio, goal }
}

async function measure(series: number, ...args: string[]): Promise<Measured> {
  const child = spawn(process.execPath, ['--expose-gc', CHILD, String(series), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(await firstLine(child)) as Measured
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout?.on('data', chunk => {
    text += chunk
    if (text.includes('\n')) child.emit('line')
  })
  await Promise.race([once(child, 'line'), once(child, 'exit')])
  if (!text.includes('\n')) throw new Error(`${child.spawnargs.join(' ')} ended without a result`)
  return text.split('\n', 1)[0]
}
