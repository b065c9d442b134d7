/**
 * The console over a terminal that is a test's own: what is drawn again, what happens when others
 * write to the same screen, when the reader is slow, and when it goes away.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import type { LedgerEntry } from '../../core/index.ts'
import { Console } from '../../exporters/console/index.ts'
import type { Terminal } from '../../exporters/console/terminal.ts'
import { batchOf } from '../harness/flow_batch.ts'
import { testHost } from '../harness/host.ts'

const CONFIG = { interval: 20, top: 3, piped: 'summary' as const }
const COLUMNS = {
  time_us: 'number',
  source_address: 'address',
  destination_address: 'address',
  destination_port: 'u16',
  protocol: 'u8',
  packets: 'number',
  bytes: 'number',
} as const
const FLOW = {
  source_address: '10.0.0.1',
  destination_address: '10.0.0.2',
  destination_port: 53,
  protocol: 17,
  packets: 5,
  bytes: 500,
}

/**
 * Keeps what was written; `stalled` leaves writes without an answer, as a reader does that does not
 * read.
 */
class FakeTerminal implements Terminal {
  readonly isTty: boolean
  readonly written: string[] = []
  stalled = false
  error: NodeJS.ErrnoException | undefined
  before: (() => boolean) | undefined
  resized: (() => void) | undefined
  #waiting: ((error?: NodeJS.ErrnoException) => void)[] = []

  constructor(isTty: boolean) {
    this.isTty = isTty
  }
  size = () => ({ width: 80, height: 24 })
  write(text: string, done: (error?: NodeJS.ErrnoException) => void): void {
    this.written.push(text)
    if (this.stalled) this.#waiting.push(done)
    else setImmediate(done, this.error)
  }
  writeNow(text: string): void {
    this.written.push(text)
  }
  onOthersWriting(before: () => boolean) {
    this.before = before
    return { resume: () => {}, release: () => (this.before = undefined) }
  }
  onResize(callback: () => void) {
    this.resized = callback
    return () => (this.resized = undefined)
  }
  release(): void {
    this.stalled = false
    for (const done of this.#waiting.splice(0)) done()
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    assert.ok(Date.now() < deadline, `never came: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** Lines that a picture of this text moves up by before it is drawn. */
function linesUp(text: string): number {
  const [, lines] = /\[(\d+)A/.exec(text) ?? []
  return Number(lines ?? 0)
}
function linesOf(text: string): number {
  return text.split('\n').length - 1
}

test('each picture begins where the last one began and clears what it leaves behind', async () => {
  const terminal = new FakeTerminal(true)
  const console = new Console(CONFIG, testHost(), terminal)
  console.write(batchOf('flows', COLUMNS, [FLOW]))
  await until('a picture with the flow', () =>
    terminal.written.some(t => t.includes('10.0.0.2:53')),
  )
  await console.close()
  const pictures = terminal.written
  assert.equal(linesUp(pictures[0]), 0)
  for (let i = 1; i < pictures.length; i++) {
    assert.equal(linesUp(pictures[i]), linesOf(pictures[i - 1]))
    for (const line of pictures[i].split('\n').slice(0, -1)) assert.ok(line.endsWith('\x1b[K'))
    assert.ok(pictures[i].endsWith('\x1b[J\x1b[?25h'), 'the cursor is shown at the end of each')
  }
})

test('a log line of the agent makes the table step aside and come back below it', async () => {
  const terminal = new FakeTerminal(true)
  const console = new Console({ ...CONFIG, interval: 3_600_000 }, testHost(), terminal)
  await until('the first picture taken', () => terminal.before?.() === true)
  const [first, cleared] = terminal.written
  assert.equal(cleared, `\x1b[${linesOf(first)}A\r\x1b[J`)
  await until('the table again', () => terminal.written.length === 3)
  assert.equal(linesUp(terminal.written[2]), 0)
  await console.close()
  assert.equal(terminal.before, undefined)
})

test('while a picture is on its way, others wait', async () => {
  const terminal = new FakeTerminal(true)
  terminal.stalled = true
  const console = new Console(CONFIG, testHost(), terminal)
  assert.equal(terminal.before?.(), false)
  terminal.release()
  assert.equal(terminal.before?.(), true)
  await console.close()
})

test('a resize starts over on a clean screen', async () => {
  const terminal = new FakeTerminal(true)
  const console = new Console({ ...CONFIG, interval: 3_600_000 }, testHost(), terminal)
  terminal.resized?.()
  assert.equal(terminal.written.at(-1), '\x1b[2J\x1b[H')
  await until('the table again', () => terminal.written.length === 3)
  assert.equal(linesUp(terminal.written[2]), 0)
  await console.close()
  assert.equal(terminal.resized, undefined)
})

test('a reader that does not read gets fewer lines, counted, and holds no batch up', async () => {
  const terminal = new FakeTerminal(false)
  terminal.stalled = true
  const host = testHost()
  const console = new Console(CONFIG, host, terminal)
  await until('lines left out', () => (host.counts.lines_left_out ?? 0) > 2)
  console.write(batchOf('flows', COLUMNS, [FLOW]))
  assert.equal(terminal.written.length, 1)
  const closed = console.close()
  terminal.release()
  await closed
})

test('a closed pipe is quiet: nothing is written, logged or thrown any more', async () => {
  const terminal = new FakeTerminal(false)
  terminal.error = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
  const host = testHost()
  const console = new Console(CONFIG, host, terminal)
  await until('the first line', () => terminal.written.length === 1)
  await new Promise(resolve => setImmediate(resolve))
  console.write(batchOf('flows', COLUMNS, [FLOW]))
  await console.close()
  await console.close()
  assert.equal(terminal.written.length, 1)
  assert.deepEqual(host.lines, [])
  assert.throws(() => console.write(batchOf('flows', COLUMNS, [FLOW])), { name: 'PermanentError' })
})

test('rows that could not be delivered are shown, whoever lost them', async () => {
  const terminal = new FakeTerminal(false)
  const ledger: LedgerEntry[] = [
    { kind: 'receiver', component: 'flows', pipeline: '', rows: { out: 9 } },
    {
      kind: 'exporter',
      component: 'otlp',
      pipeline: 'metrics',
      rows: { in: 9, failed: 40, refused: 2 },
    },
  ]
  const console = new Console(CONFIG, testHost({ ledger: () => ledger }), terminal)
  console.write(batchOf('flows', COLUMNS, [FLOW], 100))
  await console.close()
  assert.match(terminal.written.join(''), / {2}142 lost {2}/)
})

const PROCESS = join(import.meta.dirname, 'console/console_process.ts')

test('a reader that goes away ends the output and not the process', async () => {
  const child = spawn(process.execPath, [PROCESS, '600'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.on('data', data => {
    errors += data
  })
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const [code] = await once(child, 'exit')
  assert.equal(code, 0)
  assert.doesNotMatch(errors, /EPIPE|Error/)
})

const hasTmux = spawnSync('tmux', ['-V']).status === 0
test('in a real terminal there is one table, and every log line above it', {
  skip: !hasTmux && 'needs tmux',
}, async () => {
  const socket = `fovea_test_${process.pid}`
  const tmux = (...args: string[]) =>
    execFileSync('tmux', ['-L', socket, ...args], { encoding: 'utf8' })
  tmux('new-session', '-d', '-x', '100', '-y', '40', `'${process.execPath}' '${PROCESS}' 1500; cat`)
  try {
    let shown = ''
    await until('the last log line', () => {
      shown = tmux('capture-pane', '-p')
      return shown.includes('log line 9') && shown.includes('closed now')
    })
    const lines = shown.trimEnd().split('\n')
    assert.deepEqual(
      lines.slice(0, 10),
      Array.from({ length: 10 }, (_, i) => `log line ${i}`),
    )
    assert.match(lines[10], /^ fovea 0\.0\.0 {2}test-host {2}up .* cpu .* % {2}rss \d+ MiB$/)
    assert.equal(lines.filter(line => line.includes('fovea 0.0.0')).length, 1)
    assert.equal(lines.filter(line => line.includes('shop/web:40000')).length, 1)
    assert.match(lines.at(-1) ?? '', /^closed now/)
  } finally {
    tmux('kill-server')
  }
})
