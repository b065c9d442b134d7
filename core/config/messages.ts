/**
 * ajv's findings as sentences, each at the place where the value was written.
 *
 * A value that came out of `${...}` is never shown, because it may be a secret in the wrong place;
 * values of secret options are never shown at all.
 */
import type { ErrorObject } from 'ajv'
import type { Problem } from '../errors.ts'
import { dotted, type Fitting, placeOf, pointerTo } from './fit.ts'
import { type ConfigNode, problemAt } from './node.ts'
import { type JsonSchema, OPTION_TYPE } from './schema.ts'
import { didYouMean, nearest } from './suggest.ts'
import { formatDuration, formatSize } from './units.ts'

const WANTED: Readonly<Record<string, string>> = {
  string: 'text',
  secret: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  duration: 'a time such as 10s',
  size: 'a size such as 64MiB',
  list: 'a list',
  map: 'a map',
  group: 'a map of options',
  array: 'a list',
  object: 'a map',
  null: 'nothing',
}

/** Options listed in full when no known one is near; more would only hide the message. */
const OPTIONS_SHOWN_MAX = 10

export function toProblems(errors: readonly ErrorObject[], fitting: Fitting): Problem[] {
  return innermost(errors)
    .filter((error, _, all) => !reported(error, fitting) && !isSecondary(error, all))
    .map(error => toProblem(error, fitting))
}

/**
 * Of the branches of an `anyOf` or `oneOf`, what went wrong deepest inside says more than "no
 * branch fits".
 */
function innermost(errors: readonly ErrorObject[]): ErrorObject[] {
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf')
  return errors.filter(error => {
    const choice = choices.find(
      other => other !== error && error.schemaPath.startsWith(`${other.schemaPath}/`),
    )
    if (choice) return error.instancePath.length > choice.instancePath.length
    if (!choices.includes(error)) return true
    return !errors.some(
      other =>
        other.schemaPath.startsWith(`${error.schemaPath}/`) &&
        other.instancePath.length > error.instancePath.length,
    )
  })
}

/** A value of the wrong type breaks limits as well, which is not worth a second line. */
function isSecondary(error: ErrorObject, all: readonly ErrorObject[]): boolean {
  const { keyword, instancePath } = error
  if (keyword === 'type' || keyword === 'additionalProperties' || keyword === 'required')
    return false
  return all.some(other => other.keyword === 'type' && other.instancePath === instancePath)
}

function reported(error: ErrorObject, fitting: Fitting): boolean {
  const { missingProperty } = error.params
  const at = error.instancePath
  const pointer = missingProperty === undefined ? at : pointerTo(at, missingProperty)
  return fitting.broken.has(pointer) || fitting.broken.has('')
}

function toProblem(error: ErrorObject, fitting: Fitting): Problem {
  const { keyword, params, instancePath } = error
  if (keyword === 'additionalProperties') {
    const pointer = pointerTo(instancePath, params.additionalProperty)
    return problemAt(
      placeOf(pointer, fitting, true),
      dotted(fitting, pointer),
      unknownOption(error),
    )
  }
  if (keyword === 'required') {
    const pointer = pointerTo(instancePath, params.missingProperty)
    return problemAt(
      placeOf(pointer, fitting, true),
      dotted(fitting, pointer),
      missingOption(error),
    )
  }
  const node = fitting.nodes.get(instancePath)
  const place = placeOf(instancePath, fitting, false)
  return problemAt(place, dotted(fitting, instancePath), mistake(error, node))
}

function unknownOption(error: ErrorObject): string {
  const schema = error.parentSchema as JsonSchema
  const known = Object.keys((schema.properties ?? {}) as object)
  const word = String(error.params.additionalProperty)
  const near = didYouMean(word, known)
  if (near) return `unknown option${near}`
  if (known.length === 0) return 'unknown option; there are no options here'
  if (known.length > OPTIONS_SHOWN_MAX) return 'unknown option'
  return `unknown option; the options are ${known.join(', ')}`
}

function missingOption(error: ErrorObject): string {
  const properties = (error.parentSchema as { properties?: Record<string, JsonSchema> }).properties
  const description = properties?.[String(error.params.missingProperty)]?.description
  return description === undefined ? 'must be given' : `must be given: ${firstWords(description)}`
}

function firstWords(description: unknown): string {
  const text = String(description).split(/(?<=\.)\s/)[0]
  return text.replace(/\.$/, '')
}

function mistake(error: ErrorObject, node: ConfigNode | undefined): string {
  const schema = error.parentSchema as JsonSchema
  const { keyword, params, data } = error
  const hidden = node?.kind === 'scalar' ? node.expanded : undefined
  switch (keyword) {
    case 'type':
      if (Array.isArray(schema.enum)) return oneOf(schema.enum, hidden, data)
      if (hidden !== undefined)
        return `expected ${wanted(schema)}, but ${hidden} gave something else`
      return `expected ${wanted(schema)}, got ${got(node, schema, data)}`
    case 'enum':
      return oneOf(params.allowedValues, hidden, data)
    case 'const':
      return oneOf([params.allowedValue], hidden, data)
    case 'minimum':
      return `must be at least ${withUnit(params.limit, schema)}`
    case 'maximum':
      return `must be at most ${withUnit(params.limit, schema)}`
    case 'pattern':
      return `${subject(hidden, data)} does not have the form ${params.pattern}`
    case 'anyOf':
    case 'oneOf':
      return 'has none of the allowed forms'
    default:
      return error.message ?? keyword
  }
}

function subject(hidden: string | undefined, data: unknown): string {
  return hidden === undefined ? `"${data}"` : `what ${hidden} gave`
}

function wanted(schema: JsonSchema): string {
  const option = schema[OPTION_TYPE]
  if (typeof option === 'string' && option !== 'json') return WANTED[option]
  const types = Array.isArray(schema.type) ? schema.type : [schema.type]
  return types.map(type => WANTED[String(type)]).join(' or ')
}

/** What stands there, and how to write it if the intention is plain. */
function got(node: ConfigNode | undefined, schema: JsonSchema, data: unknown): string {
  if (Array.isArray(data)) return 'a list'
  if (data === null || data === undefined) return 'nothing'
  if (typeof data === 'object') return 'a map'
  const option = schema[OPTION_TYPE] ?? schema.type
  const kind = typeof data === 'string' ? 'text' : typeof data === 'number' ? 'number' : 'value'
  if (option === 'secret') return `a ${kind}; put it in quotes`
  const text = node?.kind === 'scalar' ? node.text : String(data)
  if (typeof data !== 'string') {
    return option === 'string'
      ? `the ${kind} ${text}; put it in quotes: "${text}"`
      : `the ${kind} ${text}`
  }
  return `"${text}"${textHint(text, option)}`
}

function textHint(text: string, option: unknown): string {
  if ((option === 'integer' || option === 'number') && /^-?\d+(\.\d+)?$/.test(text)) {
    return '; remove the quotes'
  }
  if (option !== 'boolean') return ''
  if (/^(true|false)$/i.test(text)) return `; write ${text.toLowerCase()} without quotes`
  if (/^(yes|on)$/i.test(text)) return '; write true'
  return /^(no|off)$/i.test(text) ? '; write false' : ''
}

function oneOf(allowed: readonly unknown[], hidden: string | undefined, data: unknown): string {
  const names = allowed.map(String)
  const list = names.length === 1 ? names[0] : `one of ${names.join(', ')}`
  if (hidden !== undefined) return `must be ${list}, but ${hidden} gave something else`
  const near = typeof data === 'string' ? nearest(data, names) : undefined
  return `must be ${list}${near === undefined ? '' : `; did you mean "${near}"?`}`
}

function withUnit(limit: number, schema: JsonSchema): string {
  if (schema[OPTION_TYPE] === 'duration') return formatDuration(limit)
  if (schema[OPTION_TYPE] === 'size') return formatSize(limit)
  return String(limit)
}
