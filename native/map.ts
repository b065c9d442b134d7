/**
 * Maps and rings of a loaded object. The hot path: each call is one call of the addon, nothing is
 * allocated, and the caller brings the buffers.
 */
import type { Addon, Handle, MapFacts } from './addon.ts'
import type { BpfMap, BpfRing, MapCursor } from './types.ts'

/** Bytes of `struct cursor` in addon/map.c before the key. */
const cursorHeader = 8

export class KernelMap implements BpfMap {
  readonly keySize: number
  readonly valueSize: number
  readonly entriesMax: number
  readonly #addon: Addon
  readonly #object: Handle
  readonly #index: number

  constructor(addon: Addon, object: Handle, index: number, facts: MapFacts) {
    this.#addon = addon
    this.#object = object
    this.#index = index
    this.keySize = facts.keySize
    this.valueSize = facts.valueSize
    this.entriesMax = facts.entriesMax
  }

  readBatch(cursor: MapCursor, keys: Uint8Array, values: Uint8Array): number {
    if (cursor.done) return 0
    cursor.position ??= new Uint8Array(cursorHeader + Math.max(this.keySize, 8))
    const { position } = cursor
    const count = this.#addon.mapReadBatch(this.#object, this.#index, position, keys, values)
    cursor.done = count < 0
    return count < 0 ? -1 - count : count
  }

  lookup(key: Uint8Array, value: Uint8Array): boolean {
    return this.#addon.mapLookup(this.#object, this.#index, key, value)
  }

  update(key: Uint8Array, value: Uint8Array): void {
    this.#addon.mapUpdate(this.#object, this.#index, key, value)
  }

  delete(key: Uint8Array): boolean {
    return this.#addon.mapDelete(this.#object, this.#index, key)
  }

  take(key: Uint8Array, value: Uint8Array): boolean {
    return this.#addon.mapTake(this.#object, this.#index, key, value)
  }
}

export class Ring implements BpfRing {
  readonly #addon: Addon
  readonly #handle: Handle

  constructor(addon: Addon, handle: Handle) {
    this.#addon = addon
    this.#handle = handle
  }

  drain(into: Uint8Array): number {
    return this.#addon.ringDrain(this.#handle, into)
  }

  close(): void {
    this.#addon.close(this.#handle)
  }
}
