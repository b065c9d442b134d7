/**
 * Where the worker's file is: beside the bundle in production, `core/worker.ts` in a checkout.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Absolute path for piscina. */
export function workerFile(): string {
  const here = fileURLToPath(import.meta.url)
  return here.endsWith('.cjs')
    ? join(dirname(here), 'worker.cjs')
    : join(dirname(here), '../worker.ts')
}
