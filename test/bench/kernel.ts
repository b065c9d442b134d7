/**
 * What counting flows costs the kernel, and what reading them costs: the receiver on its own, in a
 * network of its own.
 *
 * The measuring runs in a child inside that network, which hands its figures back as JSON.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Figure } from './figure.ts'

const CHILD = fileURLToPath(new URL('kernel_child.ts', import.meta.url))

export async function kernelRows(short: boolean): Promise<readonly Figure[]> {
  const words = ['--pdeathsig', 'KILL', 'unshare', '--net', process.execPath, CHILD]
  const child = spawn('setpriv', [...words, ...(short ? ['--short'] : [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', chunk => {
    text += chunk
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`the measuring process ended with ${code}`)
  return JSON.parse(text) as readonly Figure[]
}
