/**
 * Several configurations into one: later ones win, maps merge key by key, lists and single values
 * are replaced whole. Every value keeps the place it was written at. `--set` is one more, small
 * configuration.
 */
import type { Problem } from '../errors.ts'
import {
  type ConfigNode,
  type Entry,
  isNull,
  type MapNode,
  type Place,
  problemAt,
  setPlace,
} from './node.ts'
import { parseValue } from './yaml.ts'

/** `later` over `earlier`. A map with nothing after its key leaves the earlier map as it is. */
export function merge(earlier: ConfigNode, later: ConfigNode): ConfigNode {
  if (earlier.kind !== 'map') return later
  if (isNull(later)) return earlier
  if (later.kind !== 'map') return later
  const entries = new Map<string, Entry>(earlier.entries)
  for (const [key, entry] of later.entries) {
    const before = entries.get(key)
    entries.set(key, before ? { ...entry, node: merge(before.node, entry.node) } : entry)
  }
  return { kind: 'map', at: earlier.at, entries }
}

/**
 * `a.b.c=v` as a configuration of its own. The value is YAML; a text field takes it as it is
 * written.
 */
export function parseSet(argument: string, cwd: string, problems: Problem[]): MapNode | undefined {
  const equals = argument.indexOf('=')
  const path = equals < 0 ? argument : argument.slice(0, equals)
  const at = setPlace(path, cwd)
  const keys = path.split('.').map(key => key.trim())
  if (equals < 0) {
    problems.push(problemAt(at, path, 'has no value; write --set a.b.c=value'))
    return undefined
  }
  if (keys.some(key => key === '' || key === '__proto__')) {
    problems.push(problemAt(at, path, 'has an empty key; write --set a.b.c=value'))
    return undefined
  }
  let node = setValue(argument.slice(equals + 1), at)
  for (const key of keys.toReversed()) {
    node = { kind: 'map', at, entries: new Map([[key, { keyAt: at, node }]]) }
  }
  return node as MapNode
}

function setValue(text: string, at: Place): ConfigNode {
  const node = parseValue(text, at)
  if (node === undefined) return { kind: 'scalar', at, text, value: text, free: true }
  if (node.kind !== 'scalar' || node.value === null) return node
  const quoted = typeof node.value === 'string' && node.text !== text.trim()
  return quoted ? node : { ...node, text, free: true }
}
