/**
 * Waits for a condition, looking every few milliseconds, with a deadline: what tests use instead of
 * a sleep.
 */

/**
 * @throws when the condition is not true within `deadlineMs`; the message names what was awaited.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
