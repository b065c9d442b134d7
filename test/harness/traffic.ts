/**
 * Senders and receivers of traffic with known counts, as small processes in a pod.
 *
 * `node traffic.ts COMMAND ARGUMENTS`: a server prints `ready` when it listens; a client prints one
 * line of JSON when it is done. Started from a test through `Traffic`.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Pod } from './netns.ts'

const file = fileURLToPath(import.meta.url)

/** Starts a client in the pod; resolves at its end. */
export async function sending(
  t: TestContext,
  pod: Pod,
  command: string,
  ...rest: (string | number)[]
): Promise<void> {
  const child = pod.start([process.execPath, file, command, ...rest.map(String)])
  t.after(() => child.kill('SIGKILL'))
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) throw new Error(`${command} ended with ${code}`)
}

/** Runs a client in the pod (or here) to its end. */
export function send(pod: Pod | null, command: string, ...rest: (string | number)[]): void {
  const words = [process.execPath, file, command, ...rest.map(String)]
  const all = pod ? ['ip', 'netns', 'exec', pod.name, ...words] : words
  execFileSync(all[0]!, all.slice(1), { stdio: ['ignore', 'pipe', 'inherit'], timeout: 60_000 })
}

/**
 * Starts a server in the pod (or here); resolves when it listens. It ends with the test at the
 * latest.
 */
export async function serve(
  t: TestContext,
  pod: Pod | null,
  command: string,
  ...rest: (string | number)[]
): Promise<ChildProcess> {
  const words = [process.execPath, file, command, ...rest.map(String)]
  const child = pod
    ? pod.start(words)
    : spawn('setpriv', ['--pdeathsig', 'KILL', ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout!, 'data')
  return child
}

const commands: Record<string, (...words: string[]) => Promise<void>> = {
  /** Sends `count` datagrams of `size` bytes from one socket, each after the one before left. */
  async udp_send(host, port, count, size, sourcePort = '0') {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    const payload = Buffer.alloc(Number(size), 'x')
    await new Promise<void>(resolve => socket.bind(Number(sourcePort), resolve))
    for (let sent = 0; sent < Number(count); sent++) {
      await new Promise<void>((resolve, reject) =>
        socket.send(payload, Number(port), host, error => (error ? reject(error) : resolve())),
      )
    }
    socket.close()
  },

  /** One datagram of `size` bytes to each of `count` ports from `first` on. */
  async udp_spray(host, first, count, size) {
    const socket = createSocket('udp4')
    const payload = Buffer.alloc(Number(size), 'x')
    for (let port = Number(first); port < Number(first) + Number(count); port++) {
      await new Promise<void>((resolve, reject) =>
        socket.send(payload, port, host, error => (error ? reject(error) : resolve())),
      )
    }
    socket.close()
  },

  /** `rounds` of `count` datagrams from each of `lanes` sockets, `pause` ms after each round. */
  async udp_bursts(host, port, rounds, lanes, count, pause) {
    const sockets = Array.from({ length: Number(lanes) }, () => createSocket('udp4'))
    for (let round = 0; round < Number(rounds); round++) {
      for (const socket of sockets) {
        for (let sent = 0; sent < Number(count); sent++) {
          await new Promise<void>(resolve => socket.send('x', Number(port), host, () => resolve()))
        }
      }
      await new Promise(resolve => setTimeout(resolve, Number(pause)))
    }
    for (const socket of sockets) socket.close()
  },

  /** Takes datagrams and says nothing; with `echo`, sends each back. */
  async udp_serve(port, mode = 'sink') {
    const socket = createSocket('udp6')
    if (mode === 'echo') {
      socket.on('message', (message, from) => socket.send(message, from.port, from.address))
    }
    socket.bind(Number(port), '::', () => console.log('ready'))
  },

  /** One connection that sends `bytes` and ends when the server closed too. */
  async tcp_send(host, port, bytes) {
    const socket = connect(Number(port), host)
    await once(socket, 'connect')
    const chunk = Buffer.alloc(1 << 18, 'x')
    for (let left = Number(bytes); left > 0; left -= chunk.length) {
      if (!socket.write(left < chunk.length ? chunk.subarray(0, left) : chunk)) {
        await once(socket, 'drain')
      }
    }
    socket.end()
    socket.resume()
    await once(socket, 'close')
  },

  /** `count` connections one after the other (`lanes` at once), one byte each way. */
  async tcp_connections(host, port, count, lanes = '8') {
    let left = Number(count)
    const lane = async () => {
      while (left-- > 0) {
        const socket = connect(Number(port), host)
        socket.resume()
        socket.end('x')
        await once(socket, 'close')
      }
    }
    await Promise.all(Array.from({ length: Number(lanes) }, lane))
  },

  /** Reads all, answers `x` to whoever ended, closes. */
  async tcp_serve(port) {
    const server = createServer({ allowHalfOpen: true }, socket => {
      socket.resume()
      socket.on('end', () => socket.end('x'))
      socket.on('error', () => {})
    })
    server.listen(Number(port), '::', 1024, () => console.log('ready'))
  },
}

if (process.argv[1] === file) {
  const [name = '', ...words] = process.argv.slice(2)
  await commands[name]!(...words)
}
