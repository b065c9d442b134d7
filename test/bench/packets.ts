/**
 * A source of packets that is cheap enough to load an agent on two cores: XDP live frames, which
 * the kernel takes as if a link had received them (programs/packets.bpf.c). Their Ethernet address
 * is nobody's unless one is given, so the stack drops them right behind the hooks. Nothing leaves
 * the namespace.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BpfObject, type Kernel, openKernel } from '../../native/index.ts'
import { root } from '../harness/tree.ts'

const PROGRAM = 'test/bench/programs/packets.bpf.c'
const ETHERNET = 14
/** Layer-3 bytes of a packet: a small one, so that a packet and not its bytes is what costs. */
const LENGTH = 64

export class PacketSource {
  readonly #kernel: Kernel
  readonly #object: BpfObject
  readonly #context: Uint8Array
  readonly #data: Uint8Array

  private constructor(kernel: Kernel, object: BpfObject, ifindex: number, data: Uint8Array) {
    this.#kernel = kernel
    this.#object = object
    this.#data = data
    // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
    const context = Uint32Array.of(0, this.#data.length, 0, ifindex, 0, 0)
    this.#context = new Uint8Array(context.buffer)
  }

  /**
   * Packets of so many flows, as received on a link that does GRO (`ethtool -K LINK gro on`), for
   * the Ethernet address `to`.
   */
  static async open(
    ifindex: number,
    flows: number,
    to = '00:00:00:00:00:00',
  ): Promise<PacketSource> {
    const { compile } = await import('../../native/build_bpf.ts')
    const folder = mkdtempSync(join(tmpdir(), 'fovea-packets-'))
    try {
      writeFileSync(join(folder, 'packets.bpf.o'), compile(root, join(root, PROGRAM)))
      const kernel = openKernel({ id: 'packets', asset: name => join(folder, name) })
      const object = kernel.openObject('packets.bpf.o', { settings: { flows } })
      return new PacketSource(kernel, object, ifindex, frame(to))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  /**
   * Sends so many at once; returns when the kernel has taken them all. A call takes 25 ms however
   * few they are, nearly all of it asleep.
   */
  send(packets: number): void {
    const [data, context] = [this.#data, this.#context]
    try {
      this.#object.testRun('packets_send', { data, context, repeat: packets, liveFrames: true })
    } catch (error) {
      // A signal to this process ends the call early: some packets fewer.
      if ((error as { cause?: { code?: string } }).cause?.code !== 'EINTR') throw error
    }
  }

  /**
   * Sends at a rate for a time. @returns how many went out, which is fewer where the machine is
   * slow.
   */
  async sendAt(packetsPerSecond: number, milliseconds: number): Promise<number> {
    const startMs = performance.now()
    let sent = 0
    for (;;) {
      const elapsed = performance.now() - startMs
      if (elapsed >= milliseconds) return sent
      const due = Math.floor((packetsPerSecond * elapsed) / 1000) - sent
      // What a busy machine missed is not made up for in one burst.
      const burst = Math.min(due, packetsPerSecond / 20)
      if (burst > 0) this.send(burst)
      sent += burst
      await sleep(5)
    }
  }

  close(): void {
    this.#object.close()
    this.#kernel.close()
  }
}

function frame(to: string): Uint8Array {
  const bytes = new Uint8Array(ETHERNET + LENGTH)
  bytes.set(Buffer.from(to.replaceAll(':', ''), 'hex'))
  const view = new DataView(bytes.buffer)
  view.setUint16(12, 0x0800)
  view.setUint8(ETHERNET, 0x45)
  view.setUint16(ETHERNET + 2, LENGTH)
  view.setUint8(ETHERNET + 8, 64)
  view.setUint8(ETHERNET + 9, 17)
  bytes.set([10, 99, 0, 1], ETHERNET + 16)
  view.setUint16(ETHERNET + 20 + 2, 53)
  view.setUint16(ETHERNET + 20 + 4, LENGTH - 20)
  return bytes
}
