/**
 * Calls every entry point of the addon with random values, wrong and half right.
 *
 * Run in a network namespace of its own: `node random_arguments.ts CALLS SEED`. Prints how many
 * calls threw and with which codes; a crash is its exit by a signal.
 */
import { readFileSync } from 'node:fs'
import { type Addon, loadAddon } from '../../native/addon.ts'
import { probePath } from './help.ts'

const [calls = 0, seed = 1] = process.argv.slice(2).map(Number)
const addon = loadAddon()
const object = readFileSync(probePath)
let state = seed

function random(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}

function loadedObject(): number {
  const handle = addon.open(object, 'probe')
  addon.programs(handle).forEach(({ name }, index) => {
    addon.setAutoload(handle, index, name === 'probe_refused' ? 0 : 1)
  })
  addon.load(handle)
  return handle
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(64)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

function randomBytes(): Uint8Array {
  const bytes = new Uint8Array([0, 1, 7, 8, 16, 24, 64, 4096, 65536][random(9)]!)
  for (let i = 0; i < Math.min(bytes.length, 64); i++) bytes[i] = random(3) === 0 ? random(256) : 0
  return bytes
}

const handles = [loadedObject(), addon.open(object, 'probe')]

/** The first makers are likely to be right, the others never. */
const makers: (() => unknown)[] = [
  () => handles[random(handles.length)],
  () => random(12),
  randomBytes,
  () => ['', 'lo', 'probe', 'netif_receive_skb', '/sys/fs/cgroup', '/nowhere'][random(6)],
  () => null,
  () => [-1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, Number.NaN, Infinity][random(7)],
  () => object.subarray(random(object.length)),
  () => object.subarray(0, random(object.length)),
  detached,
  () => new Uint8Array(new SharedArrayBuffer(64)),
  () => new Float64Array(8),
  () => new DataView(new ArrayBuffer(8)),
  () => new ArrayBuffer(8),
  () => 'x'.repeat(random(10_000)),
  () => 'a\0b',
  () => undefined,
  () => ({}),
  () => [1, 2, 3],
  () => 7n,
  () => Symbol('none'),
  () => () => {},
]

const names = Object.keys(addon) as (keyof Addon)[]
const codes = new Set<string>()
let thrown = 0
for (let call = 0; call < calls; call++) {
  const name = names[random(names.length)]!
  const pick = () => makers[random(random(3) === 0 ? makers.length : 5)]!()
  const words = Array.from({ length: random(7) }, pick)
  if (name === 'close' && random(50) > 0) continue
  try {
    const answer = (addon[name] as (...words: unknown[]) => unknown)(...words)
    if (typeof answer === 'number' && answer >= 2 ** 20 && handles.length < 64) handles.push(answer)
  } catch (error) {
    thrown++
    codes.add(`${(error as { code?: unknown }).code}`)
  }
}
for (const handle of handles) addon.close(handle)
console.log(JSON.stringify({ thrown, codes: [...codes] }))
