/**
 * A process of its own that holds a kernel and does what it is told, one JSON line a call.
 *
 * Tests start it in a network namespace, as another user, or to be killed. `help.ts` speaks to it.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Attachment, type BpfObject, kernelProblem, openKernel } from '../../native/index.ts'

const asset = (name: string) => fileURLToPath(new URL(`probe/${name}`, import.meta.url))
const forceClsact = process.argv.includes('--clsact')
const kernel = openKernel({ id: 'test', asset }, { forceClsact })
const attachments: Attachment[] = []
let object: BpfObject
let changes = 0

const calls = {
  open: (...[name, options]: Parameters<typeof kernel.openObject>) => {
    object = kernel.openObject(name, options)
    return object.btfHash
  },
  attach: (...[program, target]: Parameters<BpfObject['attach']>) =>
    attachments.push(object.attach(program, target)) > 0 ? attachments.at(-1)!.via : '',
  detach: () =>
    attachments.splice(0).forEach(one => {
      one.close()
    }),
  isAttached: () => attachments.map(one => one.isAttached?.()),
  seen: (slot: number) => {
    const [key, value] = [new Uint8Array(4), new Uint8Array(8)]
    new DataView(key.buffer).setUint32(0, slot, true)
    object.map('seen').lookup(key, value)
    return Number(new DataView(value.buffer).getBigUint64(0, true))
  },
  /** Runs a program on one Ethernet frame of 64 zeros, `repeat` times. */
  testRun: (program: string, repeat: number, liveFrames: boolean) =>
    object.testRun(program, { data: new Uint8Array(64), repeat, liveFrames }).returnValue,
  links: () => kernel.links().list(),
  defaultRoutes: () => kernel.links().defaultRoutes(),
  watch: () => kernel.links().onChange(() => changes++),
  changes: () => changes,
  send: sendToSelf,
  connect: connectToSelf,
  problem: () => {
    const problem = kernelProblem()
    return problem && { message: problem.message, remedy: problem.remedy }
  },
  ids: () => idsOf('/proc/self/fdinfo'),
  close: () => kernel.close(),
}

export type Calls = typeof calls

/** Sends `count` packets of 100 bytes over loopback; returns when all have arrived. */
async function sendToSelf(count: number): Promise<number> {
  const socket = createSocket('udp4')
  let arrived = 0
  await new Promise<void>(done => socket.bind(0, '127.0.0.1', done))
  const all = new Promise<void>(done => {
    socket.on('message', () => {
      if (++arrived === count) done()
    })
  })
  for (let i = 0; i < count; i++) {
    await new Promise(sent =>
      socket.send(new Uint8Array(100), socket.address().port, '127.0.0.1', sent),
    )
  }
  await all
  socket.close()
  return arrived
}

/** One TCP connection over loopback, opened and closed. */
async function connectToSelf(): Promise<void> {
  const server = createServer(socket => socket.end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  await once(connect(port, '127.0.0.1').resume(), 'close')
  server.close()
}

/** Kernel ids of the programs, maps and links that this process holds. */
function idsOf(folder: string): { kind: string; id: number }[] {
  return readdirSync(folder).flatMap(fd => {
    const text = readText(`${folder}/${fd}`)
    const found = /^(link|map|prog)_id:\s*(\d+)/m.exec(text)
    return found ? [{ kind: found[1]!, id: Number(found[2]) }] : []
  })
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...words] = JSON.parse(line) as [keyof Calls, ...never[]]
  const call = calls[name] as (...words: never[]) => unknown
  try {
    console.log(JSON.stringify({ value: (await call(...words)) ?? null }))
  } catch (error) {
    const { message, name: type, remedy } = error as Error & { remedy?: string }
    console.log(JSON.stringify({ error: { message, type, remedy } }))
  }
}
kernel.close()
