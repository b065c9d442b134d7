/**
 * A configuration as a tree that remembers where every value was written.
 *
 * YAML becomes this tree once; merging, `--set` and `${...}` work on it, so that whatever is found
 * wrong later can be shown at its own file, line and column.
 */
import { dirname, resolve } from 'node:path'
import type { Problem } from '../errors.ts'

/** Where something was written. A `--set` has no line: its `file` is `--set a.b.c`. */
export interface Place {
  /** As the user named it. */
  readonly file: string
  readonly line?: number
  readonly column?: number
  /** Absolute folder that relative paths written here start from. */
  readonly folder: string
}

export interface ScalarNode {
  readonly kind: 'scalar'
  readonly at: Place
  /** As written, without quotes; after expansion, the expanded text. */
  readonly text: string
  /** As YAML understands it. */
  readonly value: string | number | boolean | null
  /** The text came from outside YAML (`--set`, `${...}`), so the field decides what it is. */
  readonly free?: true
  /**
   * The expression with `${...}` that gave the text. It may be a secret in the wrong place: never
   * show it.
   */
  readonly expanded?: string
  /** The whole text is this file's. */
  readonly from?: Place
  /** Expansion failed and was reported. */
  readonly broken?: true
}
export interface ListNode {
  readonly kind: 'list'
  readonly at: Place
  readonly items: readonly ConfigNode[]
}
export interface Entry {
  readonly keyAt: Place
  readonly node: ConfigNode
}
export interface MapNode {
  readonly kind: 'map'
  readonly at: Place
  readonly entries: ReadonlyMap<string, Entry>
}
export type ConfigNode = ScalarNode | ListNode | MapNode

export function isNull(node: ConfigNode): boolean {
  return node.kind === 'scalar' && node.value === null && !node.free
}

export function emptyMap(at: Place): MapNode {
  return { kind: 'map', at, entries: new Map() }
}

export function fileStart(file: string, absolute: string): Place {
  return { file, line: 1, column: 1, folder: dirname(absolute) }
}

export function setPlace(path: string, cwd: string): Place {
  return { file: `--set ${path}`, folder: resolve(cwd) }
}

/** A problem at a place. `path` is dotted and left out where the place says it already. */
export function problemAt(at: Place, path: string, message: string): Problem {
  const { file, line, column } = at
  if (line === undefined) return { file, ...(file === `--set ${path}` ? {} : { path }), message }
  return { file, line, column, path, message }
}

/** The plain value of a node, types as YAML sees them. */
export function plainValue(node: ConfigNode): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plainValue)
  return Object.fromEntries([...node.entries].map(([key, { node }]) => [key, plainValue(node)]))
}
