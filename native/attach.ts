/**
 * Attaches one loaded program to one target, by the best way this kernel has.
 */
import { readFileSync } from 'node:fs'
import { type Addon, errnoOf, type Handle } from './addon.ts'
import type { Clsact } from './clsact.ts'
import { explain } from './rights.ts'
import type { Attachment, AttachTarget } from './types.ts'
import { KernelError } from './types.ts'

/** enum bpf_attach_type */
const attachType = { xdp: 37, ingress: 46, egress: 47 }
/** Before all others, or what another owner answers would hide packets from us. */
const flagFirst = 1 << 3
const tracefs = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing']

export interface LoadedProgram {
  readonly addon: Addon
  readonly clsact: Clsact
  /** Pretend that the kernel has no TCX; for tests. */
  readonly forceClsact: boolean
  readonly object: Handle
  readonly index: number
  readonly program: string
}

/** An attachment that tells its object when it is closed. */
export type Attached = Attachment

/** @throws KernelError that says why not. */
export function attach(
  loaded: LoadedProgram,
  target: AttachTarget,
  onClose: () => void,
): Attachment {
  try {
    return attachTo(loaded, target, onClose)
  } catch (error) {
    if (error instanceof KernelError) throw error
    throw explain(`cannot attach ${loaded.program} (${nameOf(target)})`, error)
  }
}

function attachTo(loaded: LoadedProgram, target: AttachTarget, onClose: () => void): Attachment {
  const { addon, object, index } = loaded
  const byHandle = (via: string, handle: Handle) =>
    attachment(loaded.program, via, () => addon.close(handle), onClose)
  switch (target.kind) {
    case 'tp_btf':
      return byHandle('link', addon.rawTracepoint(object, index, null))
    case 'raw_tracepoint':
      return byHandle('link', addon.rawTracepoint(object, index, target.name))
    case 'tracepoint':
      return byHandle('link', addon.tracepoint(object, index, tracepointId(target)))
    case 'tc':
      return attachTraffic(loaded, target, byHandle, onClose)
    case 'xdp':
      return byHandle('link', addon.link(object, index, attachType.xdp, target.ifindex, 0))
    case 'socket_filter':
      return byHandle('socket', addon.socketFilter(object, index, target.ifindex))
    case 'cgroup':
      return byHandle('link', addon.linkCgroup(object, index, target.attachType, target.path))
    case 'iterator': {
      const handle = addon.iterator(object, index)
      const read = (into: Uint8Array) => addon.iteratorRead(handle, into)
      return { ...byHandle('link', handle), read }
    }
  }
}

function attachTraffic(
  { addon, clsact, forceClsact, object, index, program }: LoadedProgram,
  { ifindex, direction }: AttachTarget & { kind: 'tc' },
  byHandle: (via: string, handle: Handle) => Attachment,
  onClose: () => void,
): Attachment {
  if (!forceClsact) {
    try {
      const handle = addon.link(object, index, attachType[direction], ifindex, flagFirst)
      return { ...byHandle('tcx', handle), isAttached: () => addon.linkTarget(handle) === ifindex }
    } catch (error) {
      // A kernel without TCX does not know the attach type.
      if (errnoOf(error) !== 'EINVAL') throw error
    }
  }
  const filter = clsact.attach(addon.programFd(object, index), program, ifindex, direction)
  const isAttached = () => clsact.has(filter)
  return { ...attachment(program, 'clsact', () => clsact.delete(filter), onClose), isAttached }
}

function attachment(
  program: string,
  via: string,
  detach: () => void,
  onClose: () => void,
): Attachment {
  let isOpen = true
  return {
    program,
    via,
    close() {
      if (!isOpen) return
      isOpen = false
      onClose()
      detach()
    },
  }
}

function tracepointId({ category, name }: AttachTarget & { kind: 'tracepoint' }): number {
  for (const folder of tracefs) {
    try {
      return Number(readFileSync(`${folder}/events/${category}/${name}/id`, 'utf8'))
    } catch {}
  }
  throw new KernelError(
    `cannot attach to tracepoint ${category}/${name}: it is not in ${tracefs[0]}`,
    'Mount it: mount -t tracefs tracefs /sys/kernel/tracing',
  )
}

function nameOf(target: AttachTarget): string {
  if ('ifindex' in target) return `${target.kind}, link ${target.ifindex}`
  if ('path' in target) return `${target.kind} ${target.path}`
  return 'name' in target ? `${target.kind} ${target.name}` : target.kind
}
