/**
 * `${env:NAME}`, `${env:NAME:-default}`, `${file:PATH}` and `$$` inside values.
 *
 * An expansion gives text. The field it stands in decides what the text means, so `${env:ZONE}`
 * with `0123` stays `0123` in a text field and is a number in a number field. What came out is not
 * expanded again.
 */
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Problem } from '../errors.ts'
import { type ConfigNode, fileStart, type Place, problemAt, type ScalarNode } from './node.ts'
import { didYouMean } from './suggest.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const FILE_BYTES_MAX = 1 << 20

interface Context {
  readonly env: Environment
  readonly at: Place
  readonly fail: (message: string) => void
}

/** All expansions of a tree, mistakes into `problems`. A value that failed is marked `broken`. */
export function expandTree(node: ConfigNode, env: Environment, problems: Problem[]): ConfigNode {
  return expandNode(node, '', env, problems)
}

function expandNode(
  node: ConfigNode,
  path: string,
  env: Environment,
  problems: Problem[],
): ConfigNode {
  const below = (child: ConfigNode, key: string | number) =>
    expandNode(child, path === '' ? `${key}` : `${path}.${key}`, env, problems)
  if (node.kind === 'list') return { ...node, items: node.items.map(below) }
  if (node.kind === 'map') {
    const entries = [...node.entries].map(
      ([key, entry]) => [key, { ...entry, node: below(entry.node, key) }] as const,
    )
    return { ...node, entries: new Map(entries) }
  }
  return expandScalar(node, path, env, problems)
}

function expandScalar(
  node: ScalarNode,
  path: string,
  env: Environment,
  problems: Problem[],
): ScalarNode {
  if (typeof node.value !== 'string' || !node.text.includes('$')) return node
  const before = problems.length
  const fail = (message: string) => problems.push(problemAt(node.at, path, message))
  const context: Context = { env, at: node.at, fail }
  const { text, count, from } = expandText(node.text, context)
  if (problems.length > before) return { ...node, broken: true }
  if (count === 0) return { ...node, text, value: text }
  return { ...node, text, value: text, free: true, expanded: node.text, ...(from ? { from } : {}) }
}

interface Expanded {
  readonly text: string
  /** Expansions done, `$$` not counted. */
  readonly count: number
  readonly from?: Place
}

function expandText(source: string, context: Context): Expanded {
  let text = ''
  let count = 0
  let from: Place | undefined
  for (let at = 0; at < source.length; at++) {
    if (source[at] !== '$') text += source[at]
    else if (source[at + 1] === '$') {
      text += '$'
      at++
    } else if (source[at + 1] === '{') {
      const end = closing(source, at + 2)
      if (end < 0) {
        context.fail(`"${source.slice(at)}" has no closing }; write $$ for a plain $`)
        return { text, count }
      }
      const inner = source.slice(at + 2, end)
      text += expandOne(inner, context)
      count++
      if (at === 0 && end === source.length - 1 && inner.startsWith('file:')) {
        from = filePlace(inner.slice(5), context.at)
      }
      at = end
    } else text += '$'
  }
  return from ? { text, count, from } : { text, count }
}

/**
 * Index of the } that closes an expansion whose inside begins at `start`; -1 when there is none.
 */
function closing(source: string, start: number): number {
  let depth = 1
  for (let at = start; at < source.length; at++) {
    if (source.startsWith('${', at)) depth++
    else if (source[at] === '}' && --depth === 0) return at
  }
  return -1
}

function expandOne(inner: string, context: Context): string {
  const colon = inner.indexOf(':')
  const scheme = colon < 0 ? '' : inner.slice(0, colon)
  const rest = inner.slice(colon + 1)
  if (scheme === 'env') return expandEnv(rest, context)
  if (scheme === 'file') return expandFile(rest, context)
  if (colon < 0 || rest.startsWith('-')) {
    context.fail(`\${${inner}} names no source; write \${env:${inner}}, or $$ for a plain $`)
  } else {
    const near = didYouMean(scheme, ['env', 'file']) || '; there are env and file'
    context.fail(`\${${inner}}: unknown source "${scheme}"${near}`)
  }
  return ''
}

function expandEnv(rest: string, context: Context): string {
  const split = rest.indexOf(':-')
  const name = split < 0 ? rest : rest.slice(0, split)
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) {
    context.fail(`"${name}" cannot be the name of an environment variable`)
    return ''
  }
  const value = context.env[name]
  if (value !== undefined) return value
  if (split >= 0) return expandText(rest.slice(split + 2), context).text
  const hint = `set it, or give a default: \${env:${name}:-value}`
  context.fail(`environment variable ${name} is not set; ${hint}`)
  return ''
}

function expandFile(path: string, context: Context): string {
  const absolute = resolve(context.at.folder, path)
  try {
    if (statSync(absolute).size > FILE_BYTES_MAX) {
      context.fail(`\${file:${path}} is larger than 1MiB`)
      return ''
    }
    return readFileSync(absolute, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    context.fail(`\${file:${path}} cannot be read: ${fileReason(error)}`)
    return ''
  }
}

function filePlace(path: string, at: Place): Place {
  return fileStart(path, resolve(at.folder, path))
}

/** The system's reason in words. */
export function fileReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'EISDIR') return 'it is a folder'
  return message
}
