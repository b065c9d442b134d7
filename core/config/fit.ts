/**
 * Nodes to plain values, guided by what each option wants: an expanded text becomes a number in a
 * number field, `10s` becomes 10000 in a duration field, a single value becomes a list of one.
 *
 * What has the wrong shape is passed on as it is: ajv refuses it, and `messages.ts` says so at its
 * place.
 */
import type { ConfigSpec, Property } from '../config_spec.ts'
import type { Problem } from '../errors.ts'
import {
  type ConfigNode,
  isNull,
  type Place,
  plainValue,
  problemAt,
  type ScalarNode,
} from './node.ts'
import { durationMistake, parseDuration, parseSize, sizeMistake } from './units.ts'
import { parseValue } from './yaml.ts'

/** What is known of each value by its JSON pointer. */
export interface Fitting {
  /** Dotted path of the whole. */
  readonly path: string
  readonly nodes: Map<string, ConfigNode>
  readonly keys: Map<string, Place>
  /** Pointers whose mistake was reported already. */
  readonly broken: Set<string>
  readonly problems: Problem[]
}

export function newFitting(path: string, problems: Problem[]): Fitting {
  return { path, nodes: new Map(), keys: new Map(), broken: new Set(), problems }
}

/** `/a/0/b` under `receivers.flows` is `receivers.flows.a.0.b`. */
export function dotted(fitting: Fitting, pointer: string): string {
  const keys = pointer.split('/').slice(1)
  const names = keys.map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  return [fitting.path, ...names].filter(name => name !== '').join('.')
}

export function pointerTo(pointer: string, key: string | number): string {
  return `${pointer}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

/** Where a value (or its key) stands, or the nearest thing around it that is written. */
export function placeOf(pointer: string, fitting: Fitting, key: boolean): Place {
  for (let at = pointer; ; at = at.slice(0, at.lastIndexOf('/'))) {
    const value = fitting.nodes.get(at)?.at
    const place = key ? (fitting.keys.get(at) ?? value) : value
    if (place) return place
    if (at === '') throw new Error(`no place for ${pointer} in ${fitting.path}`)
  }
}

export function fitSpec(
  node: ConfigNode,
  spec: ConfigSpec,
  pointer: string,
  fitting: Fitting,
): unknown {
  const open = structured(node)
  fitting.nodes.set(pointer, open)
  if (isNull(open)) return {}
  if (broken(open)) {
    fitting.broken.add(pointer)
    return {}
  }
  if (open.kind !== 'map') return plainValue(open)
  const out: Record<string, unknown> = {}
  for (const [key, entry] of open.entries) {
    const at = pointerTo(pointer, key)
    fitting.keys.set(at, entry.keyAt)
    const property = Object.hasOwn(spec, key) ? spec[key] : undefined
    const value = property ? fit(entry.node, property, at, fitting) : plainValue(entry.node)
    if (value !== undefined) out[key] = value
  }
  return out
}

/** The value for one option, or undefined when nothing is written or the mistake is reported. */
function fit(node: ConfigNode, property: Property, pointer: string, fitting: Fitting): unknown {
  fitting.nodes.set(pointer, node)
  if (broken(node)) {
    fitting.broken.add(pointer)
    return undefined
  }
  if (isNull(node)) return property.type === 'group' ? {} : undefined
  switch (property.type) {
    case 'string':
    case 'secret':
      return node.kind === 'scalar' && node.free ? node.text : plainValue(node)
    case 'duration':
    case 'size':
      return fitQuantity(node, property, pointer, fitting)
    case 'group':
      return fitSpec(node, property.properties, pointer, fitting)
    case 'list':
      return fitList(node, property.items, pointer, fitting)
    case 'map':
      return fitMap(node, property.values, pointer, fitting)
    default:
      return fitAny(node, pointer, fitting)
  }
}

/** A value that a schema of its own judges. */
function fitAny(node: ConfigNode, pointer: string, fitting: Fitting): unknown {
  const open = structured(node)
  fitting.nodes.set(pointer, open)
  if (open.kind === 'scalar') return open.value
  if (open.kind === 'list') {
    return open.items.map((item, index) => fitAny(item, pointerTo(pointer, index), fitting))
  }
  const out: Record<string, unknown> = {}
  for (const [key, entry] of open.entries) {
    const at = pointerTo(pointer, key)
    fitting.keys.set(at, entry.keyAt)
    out[key] = fitAny(entry.node, at, fitting)
  }
  return out
}

function fitQuantity(
  node: ConfigNode,
  property: Property,
  pointer: string,
  fitting: Fitting,
): unknown {
  if (node.kind !== 'scalar' || typeof node.value === 'boolean') return plainValue(node)
  const duration = property.type === 'duration'
  const text = node.text.trim()
  const value = duration ? parseDuration(text) : parseSize(text)
  if (value !== undefined) return value
  const mistake = duration ? durationMistake(text) : sizeMistake(text)
  const shown = node.expanded === undefined ? mistake : hiddenMistake(text, duration, node.expanded)
  fitting.problems.push(problemAt(node.at, dotted(fitting, pointer), shown))
  fitting.broken.add(pointer)
  return undefined
}

/** What an expansion gave may be a secret in the wrong place: it is described, not shown. */
function hiddenMistake(text: string, duration: boolean, expression: string): string {
  const given = /^-?\d+(\.\d+)?$/.test(text) ? 'a number without a unit' : 'something else'
  const like = duration ? 'a time like 250ms, 10s or 1h30m' : 'a size like 512B, 64KiB or 10MB'
  return `expected ${like}, but ${expression} gave ${given}`
}

function fitList(node: ConfigNode, items: Property, pointer: string, fitting: Fitting): unknown {
  const open = structured(node)
  fitting.nodes.set(pointer, open)
  const list = open.kind === 'list' ? open.items : [open]
  return list.map((item, index) => fit(item, items, pointerTo(pointer, index), fitting) ?? null)
}

function fitMap(node: ConfigNode, values: Property, pointer: string, fitting: Fitting): unknown {
  const open = structured(node)
  fitting.nodes.set(pointer, open)
  if (open.kind !== 'map') return plainValue(open)
  const out: Record<string, unknown> = {}
  for (const [key, entry] of open.entries) {
    const at = pointerTo(pointer, key)
    fitting.keys.set(at, entry.keyAt)
    out[key] = fit(entry.node, values, at, fitting) ?? null
  }
  return out
}

function broken(node: ConfigNode): boolean {
  return node.kind === 'scalar' && node.broken === true
}

/** An expanded text as the YAML that it holds, for fields that are no text. */
export function structured(node: ConfigNode): ConfigNode {
  if (node.kind !== 'scalar' || !node.free || node.broken) return node
  const inside = parseValue(node.text, node.from ?? node.at)
  if (inside === undefined) return node
  if (inside.kind !== 'scalar') return inside
  return { ...node, value: inside.value } satisfies ScalarNode
}
