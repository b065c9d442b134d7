/**
 * Waiting with an end: a component that never answers must not hold up the agent that called it.
 */
import type { Log } from '../contract.ts'

/**
 * Waits for a promise, at most `ms`. @returns whether it settled in time. @throws what it rejected
 * with in time; a later rejection is the business of whoever else waits for it, and of nobody if
 * nobody does.
 */
export async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>(resolve => {
    timer = setTimeout(() => resolve(false), Math.max(0, ms))
  })
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Closes a component. Never throws, never takes longer; says so when either was wanted. */
export async function closeWithin(
  close: () => void | Promise<void>,
  ms: number,
  log: Log,
): Promise<void> {
  try {
    if (await within(Promise.resolve(close()), ms)) return
    log.error(`close does not end; not waited for longer than ${Math.round(ms)} ms`)
  } catch (error) {
    log.error(`close failed: ${messageOf(error)}`)
  }
}

/** Waits for a promise; calls `late` when it goes on `ms` after the signal. @throws as it does. */
export async function settled(
  promise: Promise<unknown>,
  signal: AbortSignal,
  ms: number,
  late: () => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const watch = () => {
    timer = setTimeout(late, ms)
  }
  signal.addEventListener('abort', watch)
  try {
    await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', watch)
  }
}
