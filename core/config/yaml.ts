/**
 * YAML 1.2 text to configuration nodes, through the `yaml` package.
 *
 * What YAML allows but a configuration is better without (anchors, merge keys, tags, several
 * documents, a key written twice) is refused here, each with a sentence that says what to write
 * instead.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLError,
  type YAMLMap,
} from 'yaml'
import type { Problem } from '../errors.ts'
import { type ConfigNode, type Entry, type Place, problemAt, type ScalarNode } from './node.ts'

/** Turns an offset into a place. */
type Locate = (offset: number) => Place

interface Reading {
  readonly locate: Locate
  readonly problems: Problem[]
}

/**
 * Parses one document. `start` is the place of its first character; without a line every node gets
 * `start`. Mistakes are added to `problems`; what comes back then is not to be used.
 */
export function parseYaml(text: string, start: Place, problems: Problem[]): ConfigNode {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    version: '1.2',
  })
  const locate: Locate = offset => {
    if (start.line === undefined) return start
    const { line, col } = lines.linePos(offset)
    return { ...start, line, column: col }
  }
  for (const error of worthSaying(document)) {
    problems.push(problemAt(locate(error.pos[0]), '', sentence(error, text)))
  }
  const version = document.directives?.yaml
  if (version?.explicit && version.version !== '1.2') {
    problems.push(problemAt(start, '', `%YAML ${version.version}: only YAML 1.2 is read`))
  }
  if (document.errors.length > 0) return nothing(start)
  return toNode(document.contents, { locate, problems }, '')
}

/**
 * A value that came from outside YAML (a variable, a file, `--set`), or undefined when it is not
 * YAML.
 */
export function parseValue(text: string, start: Place): ConfigNode | undefined {
  const problems: Problem[] = []
  const node = parseYaml(text, start, problems)
  return problems.length > 0 ? undefined : node
}

/**
 * One broken line makes YAML report many; tabs each stand for themselves, of the rest only the
 * first is true.
 */
function worthSaying(document: Document): readonly YAMLError[] {
  const tabs = document.errors.filter(error => error.code === 'TAB_AS_INDENT')
  const tags = document.warnings.filter(warning => warning.code === 'TAG_RESOLVE_FAILED')
  return [...(tabs.length > 0 ? tabs : document.errors.slice(0, 1)), ...tags]
}

function sentence(error: YAMLError, text: string): string {
  if (error.code === 'TAB_AS_INDENT') return 'a tab indents this line; YAML takes spaces only'
  if (error.code === 'MULTIPLE_DOCS') {
    return 'a second document begins here; a file holds one, give the other with another --config'
  }
  if (error.code === 'TAG_RESOLVE_FAILED') {
    return `the tag ${text.slice(...error.pos)} means nothing here; remove it`
  }
  if (
    /[{,[][^\n]*\$\{[^"'\n]*$/.test(lineUpTo(text, error.pos[0])) &&
    error.code !== 'MISSING_CHAR'
  ) {
    return 'inside { } and [ ] an expansion needs quotes: "${env:NAME}"'
  }
  return `not valid YAML: ${error.message.replace(/(["'])quote$/, '$1 quote')}`
}

function lineUpTo(text: string, offset: number): string {
  return text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset + 1)
}

function toNode(item: unknown, reading: Reading, path: string): ConfigNode {
  const { locate, problems } = reading
  const at = locate(startOf(item))
  if (isAlias(item)) {
    problems.push(problemAt(at, path, `aliases (*${item.source}) are not read; ${WRITE_OUT}`))
    return nothing(at)
  }
  if ((isScalar(item) || isMap(item) || isSeq(item)) && item.anchor !== undefined) {
    problems.push(problemAt(at, path, `anchors (&${item.anchor}) are not read; ${WRITE_OUT}`))
  }
  if (isScalar(item)) return toScalar(item, at)
  if (isSeq(item)) {
    const items = item.items.map((entry, index) => toNode(entry, reading, join(path, `${index}`)))
    return { kind: 'list', at, items }
  }
  if (isMap(item)) return toMap(item, at, reading, path)
  return nothing(at)
}

const WRITE_OUT = 'write the value out, or share it as ${file:PATH} or in a second --config'

function toScalar(item: Scalar, at: Place): ScalarNode {
  const { value } = item
  const known = value === null || typeof value === 'number' || typeof value === 'boolean'
  const text = item.source ?? String(value)
  return { kind: 'scalar', at, text, value: known ? value : String(value) }
}

function toMap(item: YAMLMap, at: Place, reading: Reading, path: string): ConfigNode {
  const entries = new Map<string, Entry>()
  for (const pair of item.items) {
    const isMissing = isScalar(pair.key) && pair.key.source === ''
    const keyAt = reading.locate(startOf(isMissing ? pair.value : pair.key))
    const key = keyOf(pair, keyAt, reading, path)
    if (key === undefined) continue
    const first = entries.get(key)
    if (first) {
      const line = first.keyAt.line === undefined ? '' : ` (first in line ${first.keyAt.line})`
      const message = `written twice${line}; keep one`
      reading.problems.push(problemAt(keyAt, join(path, key), message))
      continue
    }
    const node = pair.value === null ? nothing(keyAt) : toNode(pair.value, reading, join(path, key))
    entries.set(key, { keyAt, node })
  }
  return { kind: 'map', at, entries }
}

function keyOf(pair: Pair, at: Place, reading: Reading, path: string): string | undefined {
  const { key } = pair
  const refuse = (message: string): undefined => {
    reading.problems.push(problemAt(at, path, message))
  }
  if (!isScalar(key)) return refuse('a key must be text, not a list or a map')
  const text = key.source ?? String(key.value)
  if (key.anchor !== undefined) return refuse(`anchors (&${key.anchor}) are not read; ${WRITE_OUT}`)
  if (text === '<<') return refuse(`merge keys (<<) are not read; ${WRITE_OUT}`)
  if (text === '__proto__') return refuse('"__proto__" cannot be a key')
  if (text === '') return refuse('a key is missing before ":"')
  return text
}

function startOf(item: unknown): number {
  const range = (item as { range?: readonly number[] | null } | null)?.range
  return range?.[0] ?? 0
}

function nothing(at: Place): ScalarNode {
  return { kind: 'scalar', at, text: '', value: null }
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}
