/**
 * The public entry: the kernel, real, recorded or replayed, and the helpers that read its bytes.
 *
 * Receivers, ours and third parties' (`fovea/native`), import this file and nothing below it.
 */
import { type KernelOptions, RunningKernel } from './kernel.ts'
import type { Kernel, KernelHost } from './types.ts'

export type { KernelOptions } from './kernel.ts'
export type { Field, FieldType, Layout } from './layout.ts'
export { u64 } from './layout.ts'
export * from './types.ts'

/**
 * The kernel that a component sees.
 *
 * Opens nothing yet: what the machine lacks is thrown by the call that needs it, as a KernelError.
 */
export function openKernel(host: KernelHost, options: KernelOptions = {}): Kernel {
  return new RunningKernel(host, options)
}
