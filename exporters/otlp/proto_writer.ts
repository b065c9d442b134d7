/**
 * Protocol Buffers wire format, as much of it as OTLP needs, written into one buffer that is used
 * again.
 *
 * Messages whose length is not known beforehand get a length of four bytes that is filled in at
 * their end: a varint may carry leading zeros, every decoder takes it, and nothing has to move.
 */

const FIXED_LENGTH_BYTES = 4
/** What four bytes of varint can say. */
export const FIXED_LENGTH_MAX = (1 << 28) - 1

export class ProtoWriter {
  bytes: Buffer
  view: DataView
  at = 0

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Makes sure that `size` more bytes fit. What is written here may move to another buffer. */
  room(size: number): void {
    if (this.at + size <= this.bytes.length) return
    const bigger = Buffer.allocUnsafeSlow(Math.max(this.at + size, 2 * this.bytes.length))
    this.bytes.copy(bigger, 0, 0, this.at)
    this.bytes = bigger
    this.view = new DataView(bigger.buffer)
  }

  // None of the methods below makes room: the caller asked for it.

  byte(value: number): void {
    this.bytes[this.at++] = value
  }

  /** A whole number from 0 to 2^53. */
  varint(value: number): void {
    let rest = value
    while (rest > 0x7fffffff) {
      this.bytes[this.at++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    let low = rest | 0
    while (low > 127) {
      this.bytes[this.at++] = (low & 127) | 128
      low >>>= 7
    }
    this.bytes[this.at++] = low
  }

  double(value: number): void {
    this.view.setFloat64(this.at, value, true)
    this.at += 8
  }

  /** A whole number of at most 53 bits and a sign, as (s)fixed64. */
  fixed64(value: number): void {
    const high = Math.floor(value / 0x100000000)
    this.view.setUint32(this.at, value - high * 0x100000000, true)
    this.view.setInt32(this.at + 4, high, true)
    this.at += 8
  }

  /** Unix microseconds as the nanoseconds of a fixed64; the product does not fit a double. */
  nanoseconds(us: number): void {
    const whole = Math.round(us)
    const high = Math.floor(whole / 0x100000000)
    const low = (whole - high * 0x100000000) * 1000
    const carry = Math.floor(low / 0x100000000)
    this.view.setUint32(this.at, low - carry * 0x100000000, true)
    this.view.setUint32(this.at + 4, high * 1000 + carry, true)
    this.at += 8
  }

  raw(bytes: Buffer, start = 0, end = bytes.length): void {
    this.at += bytes.copy(this.bytes, this.at, start, end)
  }

  /** Tag, length, text. Makes its own room. */
  string(tag: number, text: string): void {
    const length = Buffer.byteLength(text)
    this.room(length + 11)
    this.byte(tag)
    this.varint(length)
    this.at += this.bytes.write(text, this.at, length, 'utf8')
  }

  /** Begins a message of unknown length; give the result to `close`. */
  open(tag: number): number {
    this.bytes[this.at++] = tag
    this.at += FIXED_LENGTH_BYTES
    return this.at
  }

  close(start: number): void {
    const length = this.at - start
    this.bytes[start - 4] = (length & 127) | 128
    this.bytes[start - 3] = ((length >>> 7) & 127) | 128
    this.bytes[start - 2] = ((length >>> 14) & 127) | 128
    this.bytes[start - 1] = length >>> 21
  }

  /** A copy of everything written so far. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.at))
  }
}

export function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length++
  return length
}

/** One `KeyValue` with a string, behind `tag`: an attribute of a resource, a point or a record. */
export function stringAttribute(
  writer: ProtoWriter,
  tag: number,
  key: string,
  value: string,
): void {
  const keyLength = Buffer.byteLength(key)
  const valueLength = Buffer.byteLength(value)
  const inner = 1 + varintLength(valueLength) + valueLength
  const length = 1 + varintLength(keyLength) + keyLength + 1 + varintLength(inner) + inner
  writer.room(length + 11)
  writer.byte(tag)
  writer.varint(length)
  writer.string(0x0a, key)
  writer.byte(0x12)
  writer.varint(inner)
  writer.string(0x0a, value)
}
