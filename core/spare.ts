/**
 * Buffers of batches that are done with, kept for the next batch of the same size.
 *
 * A fresh ArrayBuffer of some hundred KiB is zeroed memory from the kernel, page by page, and
 * garbage that the collector learns of late. At ten thousand rows a second that cost more than
 * filling the columns did.
 */

/** What is kept at most; smaller buffers are not worth keeping. */
const BYTES_MAX = 4 << 20
const BYTES_MIN = 16 << 10

const bySize = new Map<number, ArrayBuffer[]>()
let bytes = 0

/** A zeroed buffer of exactly this size. */
export function takeBuffer(size: number): ArrayBuffer {
  const spare = takeSpare(size)
  if (!spare) return new ArrayBuffer(size)
  new Uint8Array(spare).fill(0)
  return spare
}

/** A copy of a buffer. */
export function copyBuffer(from: ArrayBuffer): ArrayBuffer {
  const spare = takeSpare(from.byteLength)
  if (!spare) return from.slice(0)
  new Uint8Array(spare).set(new Uint8Array(from))
  return spare
}

function takeSpare(size: number): ArrayBuffer | undefined {
  const spare = bySize.get(size)?.pop()
  if (spare) bytes -= size
  return spare
}

/** Nobody reads or writes this buffer any more. A detached one (it was transferred) is ignored. */
export function giveBuffer(buffer: ArrayBuffer): void {
  const size = buffer.byteLength
  if (size < BYTES_MIN || size > BYTES_MAX) return
  if (bytes + size > BYTES_MAX) {
    // Of sizes that are no longer asked for.
    bySize.clear()
    bytes = 0
  }
  const list = bySize.get(size)
  if (list) list.push(buffer)
  else bySize.set(size, [buffer])
  bytes += size
}
