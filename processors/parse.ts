/**
 * Expressions as plain trees: CEL syntax (cel.dev) in, `Tree` out, with positions for messages.
 *
 * The CEL package takes 5 to 7 MiB in each thread that loads it, so it is loaded with the first
 * expression that is more than one column or number. Presets carry their trees ready-made and never
 * load it.
 */
import { createRequire } from 'node:module'
import type { ASTNode, ParseResult } from '@marcbachmann/cel-js'
import { ConfigError } from '../core/index.ts'

/**
 * One node. `start` and `end` are offsets into the source. Plain data, so that presets can hold it.
 */
export type Tree =
  | {
      readonly op: 'literal'
      readonly value: Literal
      readonly start: number
      readonly end: number
    }
  | { readonly op: 'column'; readonly name: string; readonly start: number; readonly end: number }
  | {
      /**
       * An operator of CEL's (`&&`, `<`, `in`, `!`, `?:`), `list`, or a function's name with `()`.
       */
      readonly op: string
      readonly of: readonly Tree[]
      readonly start: number
      readonly end: number
    }
export type Literal = number | string | boolean

/** An expression as a component holds it: what the user wrote, and what it means. */
export interface Expression {
  readonly source: string
  readonly tree: Tree
}

/** One problem at `path`. `at` is an offset into the source, counted from 1 in the message. */
export function expressionError(path: string, source: string, at: number, message: string) {
  return new ConfigError([{ path, message: `${message} (at character ${at + 1} of "${source}")` }])
}

/**
 * Parses one expression.
 * @param path where it stands in the component's configuration, for messages: `where`,
 * `metrics.2.value`.
 * @throws ConfigError with the position inside the expression.
 */
export function parseExpression(path: string, source: string): Expression {
  return { source, tree: simple(source) ?? convert(path, source, parseCel(path, source)) }
}

/** One column or one whole number needs no parser. */
function simple(source: string): Tree | null {
  const text = source.trim()
  const start = source.indexOf(text)
  const end = start + text.length
  if (/^\d{1,15}$/.test(text)) return { op: 'literal', value: Number(text), start, end }
  if (!/^[a-z_]\w*$/.test(text) || RESERVED.has(text)) return null
  return { op: 'column', name: text, start, end }
}

const RESERVED = new Set(['true', 'false', 'null', 'in'])

type Cel = typeof import('@marcbachmann/cel-js')

/**
 * `require` in the bundle, where esbuild resolves it; the same package through Node's own loader
 * elsewhere.
 */
function loadCel(): Cel {
  return typeof require === 'function'
    ? require('@marcbachmann/cel-js')
    : createRequire(import.meta.url)('@marcbachmann/cel-js')
}

function parseCel(path: string, source: string): ASTNode {
  const cel = loadCel()
  let result: ParseResult
  try {
    result = cel.parse(source)
  } catch (error) {
    if (!(error instanceof cel.ParseError)) throw error
    const at = error.range?.start ?? 0
    if (/[=&|]/.test(source[at] ?? '')) {
      const message = `${source[at]} is no operator here; these exist: == != < <= > >= in && || !`
      throw expressionError(path, source, at, message)
    }
    const message = at >= source.length ? 'the expression ends too early' : error.summary
    throw expressionError(path, source, at, message)
  }
  return result.ast
}

const OPERATORS = new Set('&& || == != < <= > >= in + - * / % ?: list'.split(' '))

function convert(path: string, source: string, node: ASTNode): Tree {
  const { start, end } = node
  const all = (op: string, nodes: readonly ASTNode[]): Tree => {
    return { op, of: nodes.map(child => convert(path, source, child)), start, end }
  }
  switch (node.op) {
    case 'value':
      return { op: 'literal', value: literal(path, source, node.args, start), start, end }
    case 'id':
      return { op: 'column', name: node.args, start, end }
    case 'call':
      return all(`${node.args[0]}()`, node.args[1])
    case 'rcall':
      return all(`${node.args[0]}()`, [node.args[1], ...node.args[2]])
    case '!_':
    case '-_':
      return all(node.op === '!_' ? '!' : 'negate', [node.args])
    default:
      if (!OPERATORS.has(node.op)) {
        const message = `${node.op} is not supported: columns have no fields and no elements`
        throw expressionError(path, source, start, message)
      }
      return all(node.op, node.args as readonly ASTNode[])
  }
}

function literal(path: string, source: string, value: unknown, at: number): Literal {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (value === null || value instanceof Uint8Array) {
    throw expressionError(path, source, at, 'a value is a number, a text, true or false')
  }
  const number = Number(value)
  if (typeof value !== 'number' && !Number.isSafeInteger(number)) {
    throw expressionError(path, source, at, 'a whole number is exact up to 2^53 only')
  }
  return number
}
