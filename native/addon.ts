/**
 * The C addon as TypeScript sees it, and where it is found.
 *
 * A checkout builds `native/build/fovea.node` against the system's libbpf; a release carries
 * `native/prebuilt/linux-<cpu>/fovea.node` with libbpf inside. Both have the same entry points, and
 * neither is touched before the first real use, so that replay needs no addon at all.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { KernelError } from './types.ts'

/**
 * A number that names an object, attachment, ring or watch of the addon; forged ones throw EBADF.
 */
export type Handle = number

/**
 * Every function checks its arguments and throws an Error whose `code` is an errno name. What each
 * promises stands at its C function, `js_<name>` in `native/addon/`.
 */
export interface Addon {
  libbpf(): string
  open(bytes: Uint8Array, name: string): Handle
  programs(object: Handle): { name: string; type: number }[]
  maps(object: Handle): MapFacts[]
  setInitial(object: Handle, map: number, offset: number, bytes: Uint8Array): void
  setMapSize(object: Handle, map: number, entries: number): void
  setAutoload(object: Handle, program: number, on: 0 | 1): void
  load(object: Handle): void
  loadLog(object: Handle): [libbpf: string, verifier: string]
  programFd(object: Handle, program: number): number
  link(object: Handle, program: number, attachType: number, ifindex: number, flags: number): Handle
  linkTarget(link: Handle): number
  linkCgroup(object: Handle, program: number, attachType: number, path: string): Handle
  rawTracepoint(object: Handle, program: number, name: string | null): Handle
  tracepoint(object: Handle, program: number, id: number): Handle
  socketFilter(object: Handle, program: number, ifindex: number): Handle
  iterator(object: Handle, program: number): Handle
  iteratorRead(iterator: Handle, into: Uint8Array): number
  mapReadBatch(
    object: Handle,
    map: number,
    cursor: Uint8Array,
    keys: Uint8Array,
    values: Uint8Array,
  ): number
  mapLookup(object: Handle, map: number, key: Uint8Array, value: Uint8Array): boolean
  mapUpdate(object: Handle, map: number, key: Uint8Array, value: Uint8Array): void
  mapDelete(object: Handle, map: number, key: Uint8Array): boolean
  mapTake(object: Handle, map: number, key: Uint8Array, value: Uint8Array): boolean
  ringOpen(object: Handle, map: number): Handle
  ringDrain(ring: Handle, into: Uint8Array): number
  testRun(
    object: Handle,
    program: number,
    data: Uint8Array,
    context: Uint8Array | null,
    repeat: number,
    flags: number,
  ): [returnValue: number, durationNs: number]
  tryProgram(
    type: number,
    attachType: number,
    attachBtfId: number,
    instructions: Uint8Array,
    log: Uint8Array,
  ): boolean
  clock(into: Uint8Array): void
  claim(name: string): Handle
  netlink(request: Uint8Array, into: Uint8Array): number
  watch(callback: () => void): Handle
  close(handle: Handle): boolean
}

export interface MapFacts {
  readonly name: string
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly entriesMax: number
}

let loaded: Addon | undefined

/**
 * The addon, loaded at the first call of each thread.
 * @throws KernelError when it is not built, or made for another machine.
 */
export function loadAddon(): Addon {
  if (loaded) return loaded
  const path = findAddon()
  const module = { exports: {} }
  try {
    process.dlopen(module, path)
  } catch (error) {
    throw new KernelError(
      `cannot load the native addon ${path}: ${(error as Error).message}`,
      'Build it for this machine: node native/build.ts addon',
      { cause: error },
    )
  }
  loaded = module.exports as Addon
  return loaded
}

/** The errno name of an error that the addon threw, else an empty string. */
export function errnoOf(error: unknown): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

/** FOVEA_ADDON, else the nearest build above this file (a bundle may lie one folder deeper). */
function findAddon(): string {
  const given = process.env.FOVEA_ADDON
  if (given) return given
  const names = ['native/build/fovea.node', `native/prebuilt/linux-${process.arch}/fovea.node`]
  let folder = dirname(fileURLToPath(import.meta.url))
  for (let level = 0; level < 4; level++) {
    for (const name of names) {
      const path = join(folder, name)
      if (existsSync(path)) return path
    }
    folder = dirname(folder)
  }
  if (process.platform !== 'linux') {
    throw new KernelError(
      `this system (${process.platform}) has no BPF`,
      'Use receivers made for it, or replay a recorded trace.',
    )
  }
  throw new KernelError('the native addon is not built', 'Run: node native/build.ts addon')
}
