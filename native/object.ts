/**
 * One BPF object file in the running kernel.
 *
 * Loading is lenient: a program that the verifier refuses is left out and its words are kept, so
 * that `attachFirst` can go on to an older twin; attaching a refused program throws those words.
 */
import { readFileSync } from 'node:fs'
import { type Addon, errnoOf, type Handle, type MapFacts } from './addon.ts'
import { type Attached, attach } from './attach.ts'
import type { Clsact } from './clsact.ts'
import { btfHashOf, readSettings, settingBytes } from './layout.ts'
import { KernelMap, Ring } from './map.ts'
import { explain } from './rights.ts'
import type {
  Attachment,
  AttachTarget,
  BpfMap,
  BpfObject,
  BpfRing,
  KernelError,
  ObjectOptions,
  TestRunInput,
  TestRunResult,
} from './types.ts'

const flagLiveFrames = 2
const mapTypeRing = 27

/** What `openObject` was asked for, and with what. */
export interface OpenRequest {
  readonly addon: Addon
  readonly clsact: Clsact
  readonly name: string
  readonly path: string
  readonly options: ObjectOptions
  readonly forceClsact: boolean
}

export class KernelObject implements BpfObject {
  readonly btfHash: string
  readonly #request: OpenRequest
  readonly #handle: Handle
  readonly #programs: readonly string[]
  readonly #maps: readonly MapFacts[]
  readonly #refused: Map<string, KernelError>
  readonly #attached = new Set<Attached>()
  readonly #rings = new Map<string, Ring>()

  /** @throws KernelError when the machine refuses, Error when an option names nothing. */
  constructor(request: OpenRequest) {
    const bytes = readFileSync(request.path)
    this.btfHash = btfHashOf(bytes)
    this.#request = request
    const loaded = load(request, bytes)
    this.#handle = loaded.handle
    this.#refused = loaded.refused
    this.#programs = request.addon.programs(loaded.handle).map(program => program.name)
    this.#maps = request.addon.maps(loaded.handle)
  }

  map(name: string): BpfMap {
    const index = this.#mapIndex(name)
    return new KernelMap(this.#request.addon, this.#handle, index, this.#maps[index]!)
  }

  ring(name: string): BpfRing {
    const index = this.#mapIndex(name)
    if (this.#maps[index]!.type !== mapTypeRing) throw this.#unknown(`${name} is no ring buffer`)
    let ring = this.#rings.get(name)
    if (!ring) {
      ring = new Ring(this.#request.addon, this.#request.addon.ringOpen(this.#handle, index))
      this.#rings.set(name, ring)
    }
    return ring
  }

  attach(program: string, target: AttachTarget): Attachment {
    const index = this.#programIndex(program)
    const refused = this.#refused.get(program)
    if (refused) throw refused
    const { addon, clsact, forceClsact } = this.#request
    const loaded = { addon, clsact, forceClsact, object: this.#handle, index, program }
    const attached = attach(loaded, target, () => this.#attached.delete(attached))
    this.#attached.add(attached)
    return attached
  }

  attachFirst(programs: readonly string[], target: AttachTarget): Attachment {
    let last: unknown = this.#unknown('attachFirst was given no program')
    for (const program of programs) {
      try {
        return this.attach(program, target)
      } catch (error) {
        last = error
      }
    }
    throw last
  }

  testRun(program: string, input: TestRunInput): TestRunResult {
    const index = this.#programIndex(program)
    const refused = this.#refused.get(program)
    if (refused) throw refused
    const flags = input.liveFrames ? flagLiveFrames : 0
    const { addon } = this.#request
    const { data, context = null, repeat = 1 } = input
    try {
      const answer = addon.testRun(this.#handle, index, data, context, repeat, flags)
      return { returnValue: answer[0], durationNs: answer[1] }
    } catch (error) {
      throw explain(`cannot test-run ${program}`, error)
    }
  }

  close(): void {
    for (const attached of [...this.#attached]) attached.close()
    for (const ring of this.#rings.values()) ring.close()
    this.#rings.clear()
    this.#request.addon.close(this.#handle)
  }

  #mapIndex(name: string): number {
    const index = this.#maps.findIndex(map => map.name === name)
    if (index < 0) throw this.#unknown(`it has no map ${name}`)
    return index
  }

  #programIndex(name: string): number {
    const index = this.#programs.indexOf(name)
    if (index < 0) throw this.#unknown(`it has no program ${name}`)
    return index
  }

  #unknown(why: string): Error {
    return new Error(`${this.#request.name}: ${why}`)
  }
}

interface Loaded {
  readonly handle: Handle
  readonly refused: Map<string, KernelError>
}

/** Opens and loads, each time without the programs refused so far. */
function load(request: OpenRequest, bytes: Uint8Array): Loaded {
  const { addon, name } = request
  const refused = new Map<string, KernelError>()
  for (;;) {
    const handle = open(request, bytes)
    let isLoaded = false
    try {
      const wanted = prepare(request, bytes, handle, refused)
      if (wanted === 0)
        throw [...refused.values()].at(-1) ?? new Error(`${name}: no program to load`)
      addon.load(handle)
      isLoaded = true
      return { handle, refused }
    } catch (error) {
      const program = errnoOf(error) === '' ? null : refusedProgram(addon.loadLog(handle)[0])
      if (errnoOf(error) === '') throw error
      const explained = explainLoad(request, handle, error, program)
      if (!program || refused.has(program) || errnoOf(error) === 'EPERM') throw explained
      refused.set(program, explained)
    } finally {
      if (!isLoaded) addon.close(handle)
    }
  }
}

function open({ addon, name }: OpenRequest, bytes: Uint8Array): Handle {
  try {
    return addon.open(bytes, name.replace(/\..*/, '').slice(0, 15))
  } catch (error) {
    throw explain(`cannot open ${name}`, error)
  }
}

/** Applies the options to an opened object; returns how many programs will be loaded. */
function prepare(
  { addon, name, options }: OpenRequest,
  bytes: Uint8Array,
  handle: Handle,
  refused: ReadonlyMap<string, KernelError>,
): number {
  const maps = addon.maps(handle)
  const programs = addon.programs(handle).map(program => program.name)
  const fail = (why: string) => new Error(`${name}: ${why}`)
  const settings = readSettings(bytes)
  const section = maps.findIndex(map => map.name.endsWith('.rodata'))
  for (const [key, value] of Object.entries(options.settings ?? {})) {
    const setting = settings.get(key)
    if (!setting) throw fail(`it has no setting ${key}`)
    addon.setInitial(handle, section, setting.offset, settingBytes(key, setting, value))
  }
  for (const [key, entries] of Object.entries(options.mapSizes ?? {})) {
    const index = maps.findIndex(map => map.name === key)
    if (index < 0) throw fail(`it has no map ${key}`)
    addon.setMapSize(handle, index, entries)
  }
  for (const program of options.programs ?? []) {
    if (!programs.includes(program)) throw fail(`it has no program ${program}`)
  }
  const isWanted = (program: string) =>
    (options.programs?.includes(program) ?? true) && !refused.has(program)
  programs.forEach((program, index) => {
    addon.setAutoload(handle, index, isWanted(program) ? 1 : 0)
  })
  return programs.filter(isWanted).length
}

/** The program that libbpf names as the one the kernel refused. */
function refusedProgram(libbpf: string): string | null {
  return /prog '(\w+)': (?:BPF program load failed|failed to|relo #)/.exec(libbpf)?.[1] ?? null
}

function explainLoad(
  { addon, name }: OpenRequest,
  handle: Handle,
  error: unknown,
  program: string | null,
): KernelError {
  const [libbpf, verifier] = addon.loadLog(handle)
  const what = program ? `cannot load program ${program} of ${name}` : `cannot load ${name}`
  return explain(what, error, lastWords(verifier) || lastWords(libbpf))
}

/**
 * The line in which the verifier, or libbpf, says why; without its statistics and source quotes.
 */
function lastWords(log: string): string {
  const lines = log
    .split('\n')
    .map(line => line.replace(/^libbpf: /, '').trim())
    .filter(line => line !== '' && !/^(processed \d|verification time|stack depth|;)/.test(line))
    .filter(line => !/^(failed to load object|-- (BEGIN|END))/.test(line))
  return lines.at(-1) ?? ''
}
