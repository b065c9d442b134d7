/**
 * Netlink messages: written for requests, walked in answers.
 *
 * Host byte order, which is little-endian wherever Fovea runs. Formats: `linux/netlink.h`,
 * `linux/rtnetlink.h`; each attribute is a u16 length, a u16 type, the payload, padding to 4 bytes.
 */
import { type Addon, errnoOf } from './addon.ts'

export const flag = { request: 1, acknowledge: 4, dump: 0x300, exclusive: 0x200, create: 0x400 }

const headerSize = 16
const answerSize = 65536
const answerSizeMax = 256 * 1024 * 1024
const dumpInterrupted = 0x10
const dumpTries = 5
const messageDone = 3
const messageError = 2

/** A request under construction; `bytes` may be taken once. */
export class NetlinkRequest {
  readonly #bytes = new Uint8Array(1024)
  readonly #view = new DataView(this.#bytes.buffer)
  #length = headerSize

  constructor(type: number, flags: number) {
    this.#view.setUint16(4, type, true)
    this.#view.setUint16(6, flags, true)
  }

  u8(value: number): this {
    this.#view.setUint8(this.#length, value)
    this.#length += 1
    return this
  }

  u16(value: number): this {
    this.#view.setUint16(this.#length, value, true)
    this.#length += 2
    return this
  }

  u32(value: number): this {
    this.#view.setUint32(this.#length, value, true)
    this.#length += 4
    return this
  }

  /** One attribute with whatever `body` writes as its payload. */
  attribute(type: number, body: (request: this) => void): this {
    const start = this.#length
    this.u16(0).u16(type)
    body(this)
    this.#view.setUint16(start, this.#length - start, true)
    this.#length = (this.#length + 3) & ~3
    return this
  }

  text(type: number, value: string): this {
    return this.attribute(type, () => {
      const bytes = Buffer.from(`${value}\0`)
      this.#bytes.set(bytes, this.#length)
      this.#length += bytes.length
    })
  }

  bytes(): Uint8Array {
    this.#view.setUint32(0, this.#length, true)
    return this.#bytes.subarray(0, this.#length)
  }
}

export interface Message {
  readonly type: number
  readonly flags: number
  readonly payload: Uint8Array
}

/**
 * Sends a request and returns all messages of the answer; a dump that changed under way is
 * repeated.
 * @throws Error with the errno that the kernel answered.
 */
export function ask(addon: Addon, request: NetlinkRequest): Message[] {
  const bytes = request.bytes()
  let answer = new Uint8Array(answerSize)
  for (let tries = 1; ; ) {
    try {
      const length = addon.netlink(bytes, answer)
      const messages = [...messagesOf(answer.subarray(0, length))]
      const isTorn = messages.some(message => (message.flags & dumpInterrupted) !== 0)
      if (!isTorn || tries++ >= dumpTries) return messages
    } catch (error) {
      if (errnoOf(error) !== 'ENOBUFS' || answer.length >= answerSizeMax) throw error
      answer = new Uint8Array(answer.length * 4)
    }
  }
}

/** The messages in an answer, without the kernel's DONE and ERROR. */
export function* messagesOf(answer: Uint8Array): Generator<Message> {
  const view = new DataView(answer.buffer, answer.byteOffset, answer.byteLength)
  for (let at = 0; at + headerSize <= answer.length; ) {
    const length = view.getUint32(at, true)
    if (length < headerSize || at + length > answer.length) return
    const type = view.getUint16(at + 4, true)
    if (type !== messageDone && type !== messageError) {
      const payload = answer.subarray(at + headerSize, at + length)
      yield { type, flags: view.getUint16(at + 6, true), payload }
    }
    at += (length + 3) & ~3
  }
}

/** Attributes by type, from `offset` of a payload; a cut-off one ends the walk. */
export function attributesOf(payload: Uint8Array, offset: number): Map<number, Uint8Array> {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const attributes = new Map<number, Uint8Array>()
  for (let at = offset; at + 4 <= payload.length; ) {
    const length = view.getUint16(at, true)
    if (length < 4 || at + length > payload.length) break
    // The two upper bits of a type say nested and network order.
    attributes.set(view.getUint16(at + 2, true) & 0x3fff, payload.subarray(at + 4, at + length))
    at += (length + 3) & ~3
  }
  return attributes
}

/** An attribute as u32; 0 when it is missing or too short. */
export function u32Of(attribute: Uint8Array | undefined): number {
  if (!attribute || attribute.length < 4) return 0
  return new DataView(attribute.buffer, attribute.byteOffset).getUint32(0, true)
}

/** An attribute as text, up to its zero. */
export function textOf(attribute: Uint8Array | undefined): string {
  if (!attribute) return ''
  const end = attribute.indexOf(0)
  return Buffer.from(attribute.subarray(0, end < 0 ? attribute.length : end)).toString('utf8')
}
