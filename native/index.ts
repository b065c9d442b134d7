/**
 * The public entry: the kernel, real, recorded or replayed, and the helpers that read its bytes.
 *
 * Receivers, ours and third parties' (`fovea/native`), import this file and nothing below it.
 */
import { type KernelOptions, RunningKernel } from './kernel.ts'
import { RecordingKernel } from './record.ts'
import { ReplayedKernel } from './replay.ts'
import type { Kernel, KernelHost } from './types.ts'

export type { KernelOptions } from './kernel.ts'
export type { Field, FieldType, Layout } from './layout.ts'
export { u64 } from './layout.ts'
export { kernelProblem } from './rights.ts'
export * from './types.ts'

/**
 * The kernel that a component sees: the running one, recorded when the host has a tape to write to,
 * or its twin when the host has one to replay.
 *
 * Opens nothing yet: what the machine lacks is thrown by the call that needs it, as a KernelError.
 */
export function openKernel(host: KernelHost, options: KernelOptions = {}): Kernel {
  const { tape } = host
  if (tape?.mode === 'replay') return new ReplayedKernel(host, tape)
  const kernel = new RunningKernel(host, options)
  return tape ? new RecordingKernel(kernel, tape) : kernel
}
