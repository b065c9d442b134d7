/**
 * The flows receiver as a process of its own, to be killed by a test.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import flows from '../../receivers/flows/index.ts'
import { flowsFolder } from '../harness/flow_receiver.ts'
import { testHost } from '../harness/host.ts'

const file = fileURLToPath(import.meta.url)

/** Resolves when it observes; it is killed with the test at the latest. */
export async function startAgent(t: TestContext): Promise<ChildProcess> {
  const words = ['--pdeathsig', 'KILL', process.execPath, file]
  const child = spawn('setpriv', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout!, 'data')
  return child
}

if (process.argv[1] === file) {
  const config = {
    interfaces: ['auto'],
    exclude_interfaces: [],
    interval: 100,
    idle_timeout: 60_000,
    ended_timeout: 5000,
    table_size: 65_536,
  }
  const receiver = await flows.open(config as never, testHost({ folder: flowsFolder }))
  console.log('ready')
  setInterval(() => receiver.read(4096), 50)
}
