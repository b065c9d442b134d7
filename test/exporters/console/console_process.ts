/**
 * A process with a real console, made-up flows and ten log lines on stderr; ends after argv[2]
 * milliseconds.
 */
import consoleExporter from '../../../exporters/console/index.ts'
import { batchOf } from '../../harness/flow_batch.ts'
import { testHost } from '../../harness/host.ts'

const COLUMNS = {
  time_us: 'number',
  source_address: 'address',
  destination_address: 'address',
  source_port: 'u16',
  protocol: 'u8',
  packets: 'number',
  bytes: 'number',
  source_namespace: 'text',
  source_pod: 'text',
} as const
const FLOW = {
  source_address: '10.0.0.1',
  destination_address: '10.0.0.2',
  source_port: 40000,
  protocol: 6,
  packets: 100,
  bytes: 140_000,
  source_namespace: 'shop',
  source_pod: 'web',
}
const forMs = Number(process.argv[2])
const console = await consoleExporter.open(
  { interval: 100, top: 5, piped: 'summary' },
  testHost({ id: 'console' }),
)
const context = { signal: new AbortController().signal, series: undefined }
const rows = setInterval(() => console.write(batchOf('flows', COLUMNS, [FLOW]), context), 50)
let line = 0
const lines = setInterval(() => {
  if (line < 10) process.stderr.write(`log line ${line++}\n`)
}, forMs / 15)
setTimeout(async () => {
  clearInterval(rows)
  clearInterval(lines)
  await console.close()
  process.stderr.write('closed now\n')
}, forMs)
