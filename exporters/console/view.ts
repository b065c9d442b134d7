/**
 * Pictures of the traffic as lines of text: the table of a terminal, and the plain lines of a pipe.
 * Pure: the same state gives the same lines, which is how it is tested.
 */
import type { Flow, Rates } from './traffic.ts'
import { bitRate, duration, mebibytes, scaled } from './units.ts'

/** What is running and what it costs. */
export interface Agent {
  readonly version: string
  readonly hostName: string
  readonly upMs: number
  /** Share of one core, 0.01 is one per cent. */
  readonly cpu: number
  readonly rssBytes: number
  /** Rows that no exporter got since the start. */
  readonly lost: number
}

export interface Frame {
  /** Columns and rows of the terminal. */
  readonly width: number
  readonly height: number
  readonly colour: boolean
  /** Lines of flows to keep room for, so that the table does not jump. */
  readonly flowLines: number
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'cyan'
const CODES: Record<Style, number> = { bold: 1, dim: 2, red: 31, green: 32, cyan: 36 }
const STATE_STYLES: Readonly<Record<string, Style>> = {
  new: 'green',
  reset: 'red',
  closed: 'dim',
  idle: 'dim',
}
const MARGIN = ' '
const NARROW = 72
/** Below a terminal of 40 columns there is room for one number. */
const LEAST = 38
/** Widths behind the two endpoints: protocol, packets, bits, state. */
const PROTOCOL = 6
const PACKETS = 10
const BITS = 13
const STATE = 8
const ENDPOINT_MAX = 56

/** The table; every line fits the width. Lines: title, totals, drops or nothing, heading, flows. */
export function table(agent: Agent, rates: Rates, screen: Frame): string[] {
  const paint = painter(screen.colour)
  // A character free on the right: a full line would make some terminals wrap.
  const frame = { ...screen, width: Math.max(1, screen.width - MARGIN.length - 1) }
  if (frame.width < LEAST) return [fit(`${scaled(rates.packets)} packets/s`, screen.width - 1)]
  const lines = [title(agent, frame, paint), totals(agent, rates, frame, paint)]
  const room = frame.height - 1
  lines.push(drops(rates, frame, paint))
  if (room > lines.length + 1 && frame.flowLines > 0) {
    lines.push(heading(frame, paint))
    const count = Math.min(frame.flowLines, room - lines.length)
    for (let i = 0; i < count; i++) lines.push(flowLine(rates.flows[i], frame, paint))
  }
  return lines.slice(0, Math.max(1, room)).map(line => (line === '' ? '' : MARGIN + line))
}

/** One line for a log or a pipe. */
export function summary(agent: Agent, rates: Rates, nowMs: number): string {
  const parts = [
    timeText(nowMs),
    `${scaled(rates.packets)} packets/s`,
    bitRate(rates.bytes),
    `${scaled(rates.flowStarts)} flows/s`,
    `${scaled(rates.drops)} drops/s`,
    `${scaled(agent.lost)} lost`,
    `cpu ${percent(agent.cpu)}`,
    `rss ${mebibytes(agent.rssBytes)}`,
  ]
  return parts.join('  ')
}

/** One line for each of the largest flows. */
export function flowLines(rates: Rates, nowMs: number): string[] {
  return rates.flows.map(flow =>
    [
      timeText(nowMs),
      flow.destination === '' ? flow.source : `${flow.source} -> ${flow.destination}`,
      flow.protocol,
      `${scaled(flow.packets)} packets/s`,
      bitRate(flow.bytes),
      flow.state,
    ]
      .join('  ')
      .trimEnd(),
  )
}

type Paint = (style: Style, text: string) => string
function painter(colour: boolean): Paint {
  return (style, text) => (colour && text !== '' ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text)
}

function title(agent: Agent, frame: Frame, paint: Paint): string {
  const name = `fovea ${agent.version}`
  const where = `  ${agent.hostName}  up ${duration(agent.upMs)}`
  const cost = `cpu ${percent(agent.cpu)}  rss ${mebibytes(agent.rssBytes)}`
  const left = fit(`${name}${where}`, frame.width - cost.length - 2)
  const gap = ' '.repeat(Math.max(1, width(frame) - left.length - cost.length))
  const [bold, plain] = [left.slice(0, name.length), left.slice(name.length)]
  return `${paint('bold', bold)}${plain}${gap}${paint('dim', cost)}`
}

function totals(agent: Agent, rates: Rates, frame: Frame, paint: Paint): string {
  const cells: readonly (readonly [string, string, number, Style | undefined])[] = [
    [scaled(rates.packets), 'packets/s', 6, undefined],
    [bitRate(rates.bytes), '', 12, undefined],
    [scaled(rates.flowStarts), 'flows/s', 6, undefined],
    [scaled(rates.drops), 'drops/s', 6, rates.drops > 0 ? 'red' : undefined],
    [scaled(agent.lost), 'lost', 5, agent.lost > 0 ? 'red' : undefined],
  ]
  let line = ''
  let used = 0
  for (const [value, unit, room, style] of cells) {
    const padded = value.padStart(room)
    const size = padded.length + (unit === '' ? 0 : unit.length + 1) + 2
    if (used + size > frame.width) break
    line += style ? paint(style, padded) : padded
    line += unit === '' ? '  ' : ` ${paint('dim', unit)}  `
    used += size
  }
  return line
}

function drops(rates: Rates, frame: Frame, paint: Paint): string {
  if (rates.dropReasons.length === 0) return ''
  let text = 'dropped'
  for (const [reason, perSecond] of rates.dropReasons) {
    const next = `${text}  ${reason} ${scaled(perSecond)}/s`
    if (next.length > frame.width) break
    text = next
  }
  return paint('red', fit(text, frame.width))
}

function heading(frame: Frame, paint: Paint): string {
  return paint(
    'dim',
    columns(frame, ['source', 'destination', 'proto', 'packets/s', 'bits/s', 'state']),
  )
}

function flowLine(flow: Flow | undefined, frame: Frame, paint: Paint): string {
  if (flow === undefined) return ''
  const cells = [flow.source, flow.destination, flow.protocol]
  const line = columns(frame, [...cells, scaled(flow.packets), bitRate(flow.bytes), ''])
  const style = STATE_STYLES[flow.state]
  if (frame.width < NARROW) return line
  return line + (style ? paint(style, flow.state) : flow.state)
}

/** The cells side by side; a narrow terminal does without protocol, packets and state. */
function columns(frame: Frame, cells: readonly string[]): string {
  const [source, destination, protocol, packets, bits, state] = cells
  const narrow = frame.width < NARROW
  const fixed = narrow ? BITS + 1 : PROTOCOL + PACKETS + BITS + STATE + 4
  const room = Math.max(8, Math.min(ENDPOINT_MAX, (frame.width - fixed) >> 1))
  const ends = `${pad(source, room)} ${pad(destination, room)}`
  if (narrow) return fit(`${ends}${bits.padStart(BITS)}`, frame.width)
  const numbers = `${packets.padStart(PACKETS)}${bits.padStart(BITS)}`
  return `${ends} ${pad(protocol, PROTOCOL)}${numbers}  ${state}`
}

function width(frame: Frame): number {
  const table = 2 * ENDPOINT_MAX + PROTOCOL + PACKETS + BITS + STATE + 4
  return Math.min(frame.width, table)
}

function pad(text: string, room: number): string {
  return fit(text, room).padEnd(room)
}

/** Cuts in the middle: the start says which namespace, the end which pod and port. */
function fit(text: string, room: number): string {
  if (text.length <= room) return text
  if (room < 2) return text.slice(0, Math.max(0, room))
  const end = Math.ceil((room - 1) * 0.6)
  return `${text.slice(0, room - 1 - end)}…${text.slice(text.length - end)}`
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

function timeText(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`
}
