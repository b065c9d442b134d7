/** A process that writes to a flow log without end, for the test that kills it. */
import { BatchWriter } from '../../../core/index.ts'
import flowLog from '../../../exporters/flow_log/index.ts'
import { testHost } from '../../harness/host.ts'

const COLUMNS = { time_us: 'number', source_address: 'address', packets: 'number' } as const
const ROWS = 2000
const log = await flowLog.open(
  {
    path: process.argv[2],
    omit_empty: true,
    fsync: 'never',
    rotate: { size: 0, age: 0, keep: 1, compression: 'none' },
  },
  testHost({ id: 'flow_log' }),
)
const signal = new AbortController().signal
const MAX_ROWS = 1e6
for (let first = 0; first < MAX_ROWS; first += ROWS) {
  const writer = new BatchWriter('flows', COLUMNS, ROWS)
  for (let row = 0; row < ROWS; row++) {
    writer.data.time_us[row] = 1e15
    writer.data.packets[row] = first + row
  }
  writer.length = ROWS
  await log.write(writer.done(), { signal, series: undefined })
}
