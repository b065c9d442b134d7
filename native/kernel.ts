/**
 * The running kernel behind the interface of `types.ts`.
 *
 * Owns everything that is opened through it, so that one `close` leaves nothing attached. The addon
 * is loaded at the first call that needs it.
 */
import { readFileSync } from 'node:fs'
import { type Addon, loadAddon } from './addon.ts'
import { findType } from './btf.ts'
import { Clsact } from './clsact.ts'
import { KernelLinks } from './links.ts'
import { KernelObject } from './object.ts'
import { explain, requireBpf } from './rights.ts'
import type {
  BpfObject,
  Clock,
  Kernel,
  KernelHost,
  Link,
  LinkWatch,
  ObjectOptions,
} from './types.ts'

export interface KernelOptions {
  /** Attach tc programs by clsact filters even where the kernel has TCX links. */
  readonly forceClsact?: boolean
}

const kernelBtf = '/sys/kernel/btf/vmlinux'
/** enum bpf_prog_type and, for tracing, enum bpf_attach_type and an event every kernel has. */
const programTypes = {
  tc: { type: 3, attachType: 0, event: '' },
  tracing: { type: 26, attachType: 23, event: 'btf_trace_kfree_skb' },
}

export class RunningKernel implements Kernel {
  readonly #host: Pick<KernelHost, 'asset'>
  readonly #options: KernelOptions
  readonly #open = new Set<{ close(): void }>()
  readonly #helpers = new Map<string, boolean>()
  readonly #times = new Float64Array(2)
  #clsact: Clsact | undefined
  #eventIds = new Map<string, number>()

  constructor(host: Pick<KernelHost, 'asset'>, options: KernelOptions = {}) {
    this.#host = host
    this.#options = options
  }

  openObject(name: string, options: ObjectOptions = {}): BpfObject {
    const addon = loadAddon()
    requireBpf(addon)
    this.#clsact ??= new Clsact(addon)
    const object = new KernelObject({
      addon,
      clsact: this.#clsact,
      name,
      path: this.#host.asset(name),
      options,
      forceClsact: this.#options.forceClsact ?? false,
    })
    return this.#own(object)
  }

  enumNames(name: string, strip = ''): Map<number, string> {
    const names = new Map<number, string>()
    for (const [key, value] of findInKernel(['enum', 'enum64'], name)?.values ?? []) {
      // The first name of a number wins: later ones are aliases such as *_LAST.
      if (!names.has(value)) names.set(value, key.startsWith(strip) ? key.slice(strip.length) : key)
    }
    return names
  }

  hasHelper(programType: 'tc' | 'tracing', helper: number): boolean {
    const key = `${programType} ${helper}`
    let answer = this.#helpers.get(key)
    if (answer === undefined) {
      answer = this.#probeHelper(loadAddon(), programType, helper)
      this.#helpers.set(key, answer)
    }
    return answer
  }

  clock(): Clock {
    loadAddon().clock(new Uint8Array(this.#times.buffer))
    return { monotonicUs: this.#times[0]!, unixUs: this.#times[1]! }
  }

  links(): LinkWatch {
    const links = new KernelLinks(loadAddon())
    const watch: LinkWatch = explained('cannot read network links', links, () => {
      this.#open.delete(watch)
    })
    return this.#own(watch)
  }

  close(): void {
    for (const one of [...this.#open]) one.close()
    this.#open.clear()
    this.#clsact?.close()
    this.#clsact = undefined
  }

  #own<T extends { close(): void }>(one: T): T {
    this.#open.add(one)
    return one
  }

  /**
   * `call helper; exit`: a kernel that knows the helper may refuse its arguments, but never says
   * that the function is unknown.
   */
  #probeHelper(addon: Addon, programType: keyof typeof programTypes, helper: number): boolean {
    const { type, attachType, event } = programTypes[programType]
    const instructions = new Uint8Array(16)
    const view = new DataView(instructions.buffer)
    view.setUint8(0, 0x85)
    view.setInt32(4, helper, true)
    view.setUint8(8, 0x95)
    const log = new Uint8Array(4096)
    try {
      const event_id = event === '' ? 0 : this.#eventId(event)
      if (addon.tryProgram(type, attachType, event_id, instructions, log)) return true
    } catch (error) {
      throw explain('cannot ask for BPF helpers', error)
    }
    const words = Buffer.from(log).toString('latin1')
    return !/unknown func|invalid func|cannot use helper/.test(words)
  }

  #eventId(name: string): number {
    let id = this.#eventIds.get(name)
    if (id === undefined) {
      id = findInKernel(['typedef'], name)?.id ?? 0
      this.#eventIds.set(name, id)
    }
    return id
  }
}

function findInKernel(kinds: Parameters<typeof findType>[1], name: string) {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(kernelBtf)
  } catch {
    return null
  }
  return findType(bytes, kinds, name)
}

/** The same watch, whose errors are sentences. */
function explained(what: string, links: LinkWatch, onClose: () => void): LinkWatch {
  const attempt = <T>(action: () => T): T => {
    try {
      return action()
    } catch (error) {
      throw explain(what, error)
    }
  }
  return {
    list: (): Link[] => attempt(() => links.list()),
    defaultRoutes: () => attempt(() => links.defaultRoutes()),
    onChange: callback => attempt(() => links.onChange(callback)),
    close: () => {
      onClose()
      links.close()
    },
  }
}
