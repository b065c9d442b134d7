/**
 * The functions of expressions, one writer of code each. To add one: an entry here, a line in
 * README.md, a case in test/processors/expression.test.ts.
 */
import { type Code, expect, type Scope, textOf } from './expression.ts'
import { addressIn, networkLiteral } from './networks.ts'
import type { Tree } from './parse.ts'

type Writer = (scope: Scope, tree: Tree, args: readonly Tree[]) => Code

/** Bits of `tcp_flags`, as in the column dictionary. */
const FLAGS: Readonly<Record<string, number>> = {
  FIN: 1,
  SYN: 2,
  RST: 4,
  PSH: 8,
  ACK: 16,
  URG: 32,
  ECE: 64,
  CWR: 128,
  NS: 256,
}

export const FUNCTIONS: Readonly<Record<string, Writer>> = {
  startsWith: textFunction('startsWith', part => text => text.startsWith(part)),
  endsWith: textFunction('endsWith', part => text => text.endsWith(part)),
  contains: textFunction('contains', part => text => text.includes(part)),
  matches: textFunction('matches', (part, fail) => {
    try {
      const pattern = new RegExp(part, 'u')
      return text => pattern.test(text)
    } catch {
      throw fail('not a regular expression of JavaScript')
    }
  }),
  in_network: (scope, tree, args) => {
    if (args.length < 2)
      throw scope.fail(tree, 'in_network takes a column and one or more networks')
    const { code } = expect(scope, args[0], 'address')
    const networks = args.slice(1).map(arg => networkLiteral(scope, arg, textOf(arg)))
    return { type: 'boolean', code: addressIn(scope.kernel, code, networks) }
  },
  has_flag: (scope, tree, args) => {
    if (args.length < 2) throw scope.fail(tree, 'has_flag takes a column and one or more flags')
    const { code } = expect(scope, args[0], 'number')
    let mask = 0
    for (const arg of args.slice(1)) {
      const bit = FLAGS[textOf(arg)?.toUpperCase() ?? '']
      if (!bit) throw scope.fail(arg, `a flag is one of ${Object.keys(FLAGS).join(', ')}`)
      mask |= bit
    }
    return { type: 'boolean', code: `((${code} & ${mask}) === ${mask})` }
  },
}

type Test = (text: string) => boolean

/** A method of a text with one literal argument, asked once per distinct text of a batch. */
function textFunction(
  name: string,
  make: (part: string, fail: (message: string) => Error) => Test,
): Writer {
  return (scope, tree, args) => {
    const part = args.length === 2 ? textOf(args[1]) : undefined
    if (part === undefined) {
      throw scope.fail(tree, `${name} takes one text in quotes: source_pod.${name}("web-")`)
    }
    const { code } = expect(scope, args[0], 'text')
    const test = make(part, message => scope.fail(args[1], message))
    return { type: 'boolean', code: scope.kernel.textTest(`${name} ${part}`, test, code) }
  }
}
