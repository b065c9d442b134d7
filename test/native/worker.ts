/** A worker that opens what a receiver would, says what it counted, and stays until it is ended. */
import { parentPort } from 'node:worker_threads'
import { openKernel } from '../../native/index.ts'
import { hostOf } from './help.ts'

const kernel = openKernel(hostOf())
const object = kernel.openObject('probe.bpf.o', {
  programs: ['probe_packet', 'probe_tracing'],
  settings: { events: 1 },
})
object.attach('probe_tracing', { kind: 'tp_btf' })
kernel.links().onChange(() => {})
object.testRun('probe_packet', { data: new Uint8Array(64), repeat: 7 })
const length = object.ring('ring').drain(new Uint8Array(4096))
parentPort!.on('message', () => parentPort!.close())
parentPort!.postMessage(length / 40)
