/**
 * Turns an errno of the kernel into a sentence that says what is missing and what to do.
 *
 * The kernel answers EPERM for a missing capability, for lockdown and for seccomp alike; this file
 * looks at which it is.
 */
import { existsSync, readFileSync } from 'node:fs'
import { type Addon, errnoOf, loadAddon } from './addon.ts'
import { KernelError } from './types.ts'

const capabilities = { CAP_BPF: 39, CAP_PERFMON: 38, CAP_NET_ADMIN: 12 }
const capabilityAdmin = 21
const btfPath = '/sys/kernel/btf/vmlinux'

/** Names of the capabilities that BPF receivers need and this process lacks. */
export function missingCapabilities(status = readText('/proc/self/status')): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`)
  const has = (bit: number) => ((effective >> BigInt(bit)) & 1n) === 1n
  return Object.entries(capabilities)
    .filter(([name, bit]) => !has(bit) && (name === 'CAP_NET_ADMIN' || !has(capabilityAdmin)))
    .map(([name]) => name)
}

/**
 * Throws what keeps this machine from loading any BPF program; cheap, loads nothing.
 * @throws KernelError naming the first thing that is missing.
 */
export function requireBpf(addon: Addon): void {
  try {
    addon.libbpf()
  } catch (error) {
    throw explain('cannot load BPF programs', error)
  }
  if (!existsSync(btfPath)) {
    throw new KernelError(
      `cannot load BPF programs: this kernel has no BTF (${btfPath} is missing)`,
      'Use a kernel from 5.10 built with CONFIG_DEBUG_INFO_BTF=y; in a container, mount /sys.',
    )
  }
}

/**
 * What keeps BPF receivers from running on this machine, or null; loads no program.
 *
 * Called by commands that want to say it before anything starts. Null is no promise: a seccomp
 * profile, for one, shows only when a program is loaded.
 */
export function kernelProblem(): KernelError | null {
  try {
    requireBpf(loadAddon())
  } catch (error) {
    if (error instanceof KernelError) return error
    throw error
  }
  const why = { code: 'EPERM', message: '' }
  return missingCapabilities().length > 0 ? forbidden('cannot load BPF programs', why, '') : null
}

/** The error to throw for what the addon threw. `what` is the beginning of the sentence. */
export function explain(what: string, error: unknown, detail = ''): KernelError {
  const { message } = error as Error
  const why = detail === '' ? message : `${detail} (${errnoOf(error)})`
  switch (errnoOf(error)) {
    case 'EPERM':
      return forbidden(what, error, detail)
    case 'ELIBACC':
      return new KernelError(
        `${what}: ${message.replace('ELIBACC: ', '')}`,
        'Install it: apt-get install libbpf1 (Debian, Ubuntu), dnf install libbpf (Fedora).',
        { cause: error },
      )
    case 'ENODEV':
      return new KernelError(`${what}: the link is gone`, 'Nothing to do.', { cause: error })
    default:
      return new KernelError(
        `${what}: ${why}`,
        `This kernel is ${kernelRelease()}; what is needed stands in the component's README.md.`,
        { cause: error },
      )
  }
}

function forbidden(what: string, cause: unknown, detail: string): KernelError {
  const missing = missingCapabilities()
  if (missing.length > 0) {
    const verb = missing.length === 1 ? 'is' : 'are'
    return new KernelError(
      `${what}: ${missing.join(', ')} ${verb} missing`,
      `Run as root, or: setcap cap_bpf,cap_perfmon,cap_net_admin=ep ${process.execPath}`,
      { cause },
    )
  }
  const lockdown = /\[(integrity|confidentiality)\]/.exec(readText('/sys/kernel/security/lockdown'))
  const why = detail === '' ? 'the kernel answered EPERM' : `${detail} (EPERM)`
  if (lockdown?.[1] === 'confidentiality') {
    return new KernelError(
      `${what}: kernel lockdown is set to confidentiality`,
      'Boot with lockdown=integrity or none.',
      { cause },
    )
  }
  return new KernelError(
    `${what}: ${why} though no capability is missing`,
    'A seccomp profile or a security module forbids bpf(2): allow it for this container.',
    { cause },
  )
}

function kernelRelease(): string {
  return readText('/proc/sys/kernel/osrelease').trim() || 'of unknown release'
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
