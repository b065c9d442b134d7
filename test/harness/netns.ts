/**
 * Networks for kernel tests: a private namespace for the test's own process, and pods with
 * namespaces of their own, joined by veth pairs and bridges.
 *
 * Nothing outside is touched: the test file runs again inside a namespace that dies with it, and
 * the pods' namespaces carry its process id in their names and are deleted at the end.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const marker = 'FOVEA_TEST_NETWORK'

/**
 * True inside the private namespace. Outside it runs the calling test file there, as the same kind
 * of process, and ends with its exit code; so a file's tests stand behind `if (await
 * inPrivateNetwork(...))`.
 */
export async function inPrivateNetwork(url: string): Promise<boolean> {
  if (process.env[marker] === '1') {
    deleteLeftNamespaces()
    run('ip link set lo up')
    return true
  }
  // setpriv: when the test runner kills this process, the one inside dies too.
  const words = ['setpriv', '--pdeathsig', 'KILL', 'unshare', '--net', process.execPath]
  const child = spawn(words[0]!, [...words.slice(1), ...process.execArgv, fileURLToPath(url)], {
    env: { ...process.env, [marker]: '1' },
    stdio: 'inherit',
  })
  const [code] = (await once(child, 'close')) as [number | null]
  process.exitCode = code ?? 1
  return false
}

/** Namespaces of tests that were killed before they could delete them. */
function deleteLeftNamespaces(): void {
  const folder = '/run/netns'
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const pid = /^fovea-(\d+)-/.exec(name)?.[1]
    if (pid && !existsSync(`/proc/${pid}`)) spawnSync('ip', ['netns', 'del', name])
  }
}

/** Runs shell commands here; the first that fails throws with its own words. */
export function run(commands: string): string {
  return execFileSync('sh', ['-ec', commands], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Forwards between links of this namespace, IPv4 and IPv6. */
export function enableForwarding(): void {
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
  writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1')
}

export interface PodOptions {
  /** IPv4 address of the pod, /24; its gateway is .1 of that network. */
  readonly address: string
  /** IPv6 address, /64; gateway ::1 of that network. */
  readonly address6?: string
  /** Bridge of this namespace to join; else the gateway's address is given to the link itself. */
  readonly bridge?: string
  /** No packet but what the test sends: no IPv6, neighbours known for good. */
  readonly isQuiet?: boolean
}

/** A namespace with one link `eth0`, whose other end lies here as `link`. */
export class Pod {
  readonly name: string
  readonly link: string
  readonly address: string

  constructor(name: string, { address, address6, bridge, isQuiet }: PodOptions) {
    this.name = `fovea-${process.pid}-${name}`
    this.link = `veth-${name}`
    this.address = address
    const gateway = address.replace(/\d+$/, '1')
    run(`ip netns add ${this.name}
      ip link add ${this.link} type veth peer name eth0 netns ${this.name}
      ip -n ${this.name} link set lo up
      ${isQuiet ? this.#silence() : ''}
      ip -n ${this.name} addr add ${address}/24 dev eth0
      ip -n ${this.name} link set eth0 up
      ip link set ${this.link} up`)
    if (bridge) run(`ip link set ${this.link} master ${bridge}`)
    else run(`ip addr add ${gateway}/24 dev ${this.link}`)
    run(`ip -n ${this.name} route add default via ${gateway}`)
    if (isQuiet && !bridge) this.#knowNeighbours(gateway)
    if (address6) this.#addAddress6(address6, bridge)
  }

  #silence(): string {
    return `echo 1 > /proc/sys/net/ipv6/conf/${this.link}/disable_ipv6
      ip netns exec ${this.name} sh -c "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6"`
  }

  #knowNeighbours(gateway: string): void {
    const addressOf = (json: string) => (JSON.parse(json) as [{ address: string }])[0].address
    const here = addressOf(run(`ip -j link show dev ${this.link}`))
    const there = addressOf(run(`ip -n ${this.name} -j link show dev eth0`))
    run(`ip neigh replace ${this.address} lladdr ${there} dev ${this.link} nud permanent
      ip -n ${this.name} neigh replace ${gateway} lladdr ${here} dev eth0 nud permanent`)
  }

  #addAddress6(address: string, bridge: string | undefined): void {
    const gateway = address.replace(/::.*$/, '::1')
    run(`ip -n ${this.name} addr add ${address}/64 dev eth0 nodad`)
    if (!bridge) run(`ip addr add ${gateway}/64 dev ${this.link} nodad`)
    run(`ip -n ${this.name} -6 route add default via ${gateway}`)
  }

  run(commands: string): string {
    return run(`ip netns exec ${this.name} sh -ec '${commands.replaceAll("'", `'\\''`)}'`)
  }

  /** A process in the pod; it dies with this one. */
  start(words: readonly string[]): ChildProcess {
    const all = ['--pdeathsig', 'KILL', 'ip', 'netns', 'exec', this.name, ...words]
    return spawn('setpriv', all, { stdio: ['pipe', 'pipe', 'inherit'] })
  }

  /** A counter of /proc/net/snmp in the pod: `Tcp.OutSegs`. */
  counter(name: string): number {
    const [group, field] = name.split('.')
    const [names, values] = this.run('cat /proc/net/snmp')
      .split('\n')
      .filter(line => line.startsWith(`${group}: `))
      .map(line => line.split(' '))
    return Number(values![names!.indexOf(field!)])
  }

  /** The link first: a namespace that is deleted lets go of its links some time later. */
  close(): void {
    run(`ip link del ${this.link} 2>/dev/null || :
      ip netns del ${this.name}`)
  }
}

export interface LinkCounters {
  readonly packets: number
  readonly bytes: number
}

/** What a link of this namespace received and transmitted so far, frames with Ethernet headers. */
export function linkCounters(link: string): { received: LinkCounters; transmitted: LinkCounters } {
  const [facts] = JSON.parse(run(`ip -j -s link show dev ${link}`)) as [
    { stats64: { rx: LinkCounters; tx: LinkCounters } },
  ]
  return { received: facts.stats64.rx, transmitted: facts.stats64.tx }
}
