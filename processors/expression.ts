/**
 * What an expression means over a table's columns: types are checked and code for a `Kernel` is
 * written.
 *
 * Four types: number (u8, u16, u32 and number columns, all computed as doubles), text, address,
 * boolean. Texts are compared by index: a literal is looked up once per batch, a test runs once per
 * distinct text.
 */
import type { Columns } from '../core/index.ts'
import { didYouMean, MissingColumns } from '../core/index.ts'
import { FUNCTIONS } from './functions.ts'
import type { Kernel } from './kernel.ts'
import { addressIn, addressLiteral } from './networks.ts'
import { type Expression, expressionError, type Tree } from './parse.ts'

export type ValueType = 'number' | 'text' | 'address' | 'boolean'

/**
 * Code over `row`, and what it yields. For text it is a text index, for an address a column's name.
 */
export interface Code {
  readonly type: ValueType
  readonly code: string
}

export interface Scope {
  readonly kernel: Kernel
  readonly path: string
  readonly source: string
  fail(at: Tree, message: string): Error
}

/**
 * Compiles to code over `row` that yields `type`.
 * @param path where the expression stands in the configuration.
 * @throws MissingColumns with all columns that this table lacks; ConfigError for a type error, with
 * its position.
 */
export function compile(
  kernel: Kernel,
  path: string,
  expression: Expression,
  type: 'number' | 'boolean',
): string {
  const { source, tree } = expression
  refuseMissing(missingIn(kernel.columns, expression))
  const fail = (at: Tree, message: string) => expressionError(path, source, at.start, message)
  const scope: Scope = { kernel, path, source, fail }
  return expect(scope, tree, type).code
}

/** Names of all columns that an expression reads. */
function columnsOf(tree: Tree): string[] {
  if ('name' in tree) return [tree.name]
  return 'of' in tree ? [...new Set(tree.of.flatMap(columnsOf))] : []
}

/** Columns that an expression reads and a table lacks, each with a sentence that says where. */
export function missingIn(columns: Columns, { source, tree }: Expression): Map<string, string> {
  const missing = new Map<string, string>()
  for (const name of columnsOf(tree)) {
    if (Object.hasOwn(columns, name)) continue
    missing.set(name, `${name} (at character ${find(tree, name) + 1} of "${source}")`)
  }
  return missing
}

/** @throws MissingColumns when there are any. */
export function refuseMissing(missing: ReadonlyMap<string, string>): void {
  if (missing.size === 0) return
  throw new MissingColumns([...missing.keys()], `needs ${[...missing.values()].join('; ')}`)
}

/** Offset of the first use of a column. */
function find(tree: Tree, name: string): number {
  if ('name' in tree) return tree.name === name ? tree.start : -1
  if (!('of' in tree)) return -1
  return tree.of.map(child => find(child, name)).find(at => at >= 0) ?? -1
}

/** Code of a node that must be of one type. */
export function expect(scope: Scope, tree: Tree, type: ValueType): Code {
  const code = codeOf(scope, tree)
  if (code.type === type) return code
  throw scope.fail(tree, `${describe(tree, code.type)}, but ${article(type)} is needed here`)
}

function describe(tree: Tree, type: ValueType): string {
  return 'name' in tree ? `${tree.name} is ${article(type)}` : `this is ${article(type)}`
}

function article(type: ValueType): string {
  return type === 'address' ? 'an address' : `a ${type}`
}

export function codeOf(scope: Scope, tree: Tree): Code {
  if ('name' in tree) return columnCode(scope, tree)
  if ('value' in tree) return literalCode(scope, tree.value)
  const [a, b, c] = tree.of
  switch (tree.op) {
    case '&&':
    case '||':
      return both(scope, tree.op, 'boolean', 'boolean', a, b)
    case '<':
    case '<=':
    case '>':
    case '>=':
      return both(scope, tree.op, 'number', 'boolean', a, b)
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return both(scope, tree.op, 'number', 'number', a, b)
    case '!':
      return { type: 'boolean', code: `(!${expect(scope, a, 'boolean').code})` }
    case 'negate':
      return { type: 'number', code: `(-${expect(scope, a, 'number').code})` }
    case '==':
      return { type: 'boolean', code: equal(scope, tree, a, b) }
    case '!=':
      return { type: 'boolean', code: `(!${equal(scope, tree, a, b)})` }
    case 'in':
      return { type: 'boolean', code: membership(scope, a, b) }
    case '?:':
      return choice(scope, a, b, c)
    default:
      return call(scope, tree, tree.op, tree.of)
  }
}

function columnCode(scope: Scope, tree: Tree & { name: string }): Code {
  const { kernel } = scope
  switch (kernel.columns[tree.name]) {
    case 'address':
      return { type: 'address', code: tree.name }
    case 'text':
      return { type: 'text', code: `${kernel.column(tree.name)}[row]` }
    case 'bytes':
      throw scope.fail(tree, `${tree.name} holds raw bytes, which an expression cannot read`)
    default:
      return { type: 'number', code: `${kernel.column(tree.name)}[row]` }
  }
}

function literalCode(scope: Scope, value: number | string | boolean): Code {
  if (typeof value === 'string') return { type: 'text', code: scope.kernel.textIndex(value) }
  if (typeof value === 'boolean') return { type: 'boolean', code: String(value) }
  return { type: 'number', code: String(value) }
}

function both(
  scope: Scope,
  op: string,
  inputs: ValueType,
  output: ValueType,
  a: Tree,
  b: Tree,
): Code {
  const code = `(${expect(scope, a, inputs).code} ${op} ${expect(scope, b, inputs).code})`
  return { type: output, code }
}

function choice(scope: Scope, test: Tree, a: Tree, b: Tree): Code {
  const first = codeOf(scope, a)
  if (first.type === 'address') throw scope.fail(a, 'an address cannot be chosen by ?:')
  const { code } = expect(scope, b, first.type)
  return {
    type: first.type,
    code: `(${expect(scope, test, 'boolean').code} ? ${first.code} : ${code})`,
  }
}

function equal(scope: Scope, tree: Tree, a: Tree, b: Tree): string {
  const literal = textOf(a) ?? textOf(b)
  const other = textOf(a) === undefined ? codeOf(scope, a) : codeOf(scope, b)
  if (other.type !== 'address') {
    const left = codeOf(scope, a)
    return `(${left.code} === ${sameType(scope, tree, left.type, codeOf(scope, b)).code})`
  }
  if (literal !== undefined) {
    return addressIn(scope.kernel, other.code, [addressLiteral(scope, tree, literal)])
  }
  sameType(scope, tree, 'address', codeOf(scope, a))
  sameType(scope, tree, 'address', codeOf(scope, b))
  const [x, y] = [a, b].map(side => scope.kernel.words(codeOf(scope, side).code))
  return `(${[0, 1, 2, 3].map(i => `${x}[4 * row + ${i}] === ${y}[4 * row + ${i}]`).join(' && ')})`
}

function sameType(scope: Scope, at: Tree, type: ValueType, code: Code): Code {
  if (code.type === type) return code
  const message = `${article(type)} and ${article(code.type)} are never equal`
  throw scope.fail(at, message)
}

export function textOf(tree: Tree): string | undefined {
  return 'value' in tree && typeof tree.value === 'string' ? tree.value : undefined
}

/** Above this, a set is asked once per distinct text, or per row for numbers. */
const CHAIN_MAX = 8

function membership(scope: Scope, item: Tree, list: Tree): string {
  if (list.op !== 'list' || !('of' in list)) {
    throw scope.fail(list, 'after "in" a list of literals is needed: in [6, 17]')
  }
  const { kernel } = scope
  const code = codeOf(scope, item)
  if (code.type === 'address') {
    const networks = list.of.map(entry => addressLiteral(scope, entry, textOf(entry)))
    return addressIn(kernel, code.code, networks)
  }
  const values = list.of.map(entry => {
    sameType(scope, entry, code.type, codeOf(scope, entry))
    if ('value' in entry) return entry.value
    throw scope.fail(entry, 'a list holds literals only')
  })
  if (values.length === 0) return 'false'
  if (values.length <= CHAIN_MAX) {
    const chain = list.of.map(entry => `${code.code} === ${codeOf(scope, entry).code}`)
    return `(${chain.join(' || ')})`
  }
  const set = new Set<unknown>(values)
  if (code.type === 'text') {
    return kernel.textTest(`in ${JSON.stringify(values)}`, text => set.has(text), code.code)
  }
  return `${kernel.constant(set)}.has(${code.code})`
}

function call(scope: Scope, tree: Tree, op: string, args: readonly Tree[]): Code {
  const name = op.slice(0, -2)
  if (!op.endsWith('()')) throw scope.fail(tree, 'a list stands only after "in"')
  const write = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  if (!write) {
    const near = didYouMean(name, Object.keys(FUNCTIONS))
    const known = `; there are ${Object.keys(FUNCTIONS).join(', ')}`
    throw scope.fail(tree, `unknown function ${name}${near || known}`)
  }
  return write(scope, tree, args)
}
