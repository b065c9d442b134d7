/**
 * A component's options (`ConfigSpec`) as JSON Schema, in two flavours.
 *
 * `check` is what ajv sees: durations are milliseconds and sizes bytes by then, lists are lists,
 * defaults are filled in. `editor` is what a person writes: units, single values for lists,
 * `${...}` wherever a number stands.
 */
import type { ConfigSpec, Property } from '../config_spec.ts'
import { parseDuration, parseSize } from './units.ts'

export type JsonSchema = { readonly [keyword: string]: unknown }
export type Flavour = 'check' | 'editor'

/** Schema keyword that carries the property's own type through ajv to the message. */
export const OPTION_TYPE = 'x-option-type'

const DURATION = '^(0|([0-9]+(\\.[0-9]*)?(ns|us|µs|ms|s|m|h|d))+|.*\\$\\{.*)$'
const SIZE = '^(0|[0-9]+(\\.[0-9]*)?(B|[kKMGT]B|[KMGT]iB)|.*\\$\\{.*)$'
const EXPANSION = { type: 'string', pattern: '\\$\\{' }

export function specSchema(spec: ConfigSpec, flavour: Flavour): JsonSchema {
  const properties: Record<string, JsonSchema> = {}
  const required: string[] = []
  for (const [name, property] of Object.entries(spec)) {
    properties[name] = propertySchema(property, flavour)
    if (property.required) required.push(name)
  }
  const schema = { type: 'object', properties, additionalProperties: false }
  return required.length > 0 ? { ...schema, required } : schema
}

export function propertySchema(property: Property, flavour: Flavour): JsonSchema {
  const { description } = property
  const shape = flavour === 'check' ? checkShape(property) : editorShape(property)
  const fallback = defaultOf(property, flavour)
  return {
    description,
    ...shape,
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(flavour === 'check' ? { [OPTION_TYPE]: property.type } : {}),
  }
}

function checkShape(property: Property): JsonSchema {
  switch (property.type) {
    case 'string':
    case 'secret':
      return textShape(property)
    case 'integer':
    case 'number':
      return { type: property.type, ...limits(property.minimum, property.maximum) }
    case 'boolean':
      return { type: 'boolean' }
    case 'duration':
    case 'size': {
      const parse = property.type === 'duration' ? parseDuration : parseSize
      return {
        type: 'number',
        ...limits(bound(property.minimum, parse), bound(property.maximum, parse)),
      }
    }
    case 'list':
      return { type: 'array', items: propertySchema(property.items, 'check') }
    case 'map':
      return { type: 'object', additionalProperties: propertySchema(property.values, 'check') }
    case 'group':
      return specSchema(property.properties, 'check')
    case 'json':
      return property.schema
  }
}

function editorShape(property: Property): JsonSchema {
  switch (property.type) {
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return { anyOf: [checkShape(property), EXPANSION] }
    case 'duration':
    case 'size':
      return {
        anyOf: [
          { type: 'string', pattern: property.type === 'duration' ? DURATION : SIZE },
          { const: 0 },
        ],
      }
    case 'list': {
      const items = propertySchema(property.items, 'editor')
      return { anyOf: [{ type: 'array', items }, items, { type: 'null' }] }
    }
    case 'map': {
      const values = propertySchema(property.values, 'editor')
      return { type: ['object', 'null'], additionalProperties: values }
    }
    case 'group':
      return { ...specSchema(property.properties, 'editor'), type: ['object', 'null'] }
    default:
      return checkShape(property)
  }
}

function textShape(property: Property & { type: 'string' | 'secret' }): JsonSchema {
  if (property.type === 'secret') return { type: 'string' }
  const { enum: values, pattern } = property
  return { type: 'string', ...(values ? { enum: values } : {}), ...(pattern ? { pattern } : {}) }
}

function limits(minimum: number | undefined, maximum: number | undefined): JsonSchema {
  return {
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
  }
}

function bound(
  text: string | undefined,
  parse: (text: string) => number | undefined,
): number | undefined {
  return text === undefined ? undefined : parsed(text, parse)
}

/**
 * A default or limit in a specification is written by a programmer: if it is wrong, that is a bug.
 */
function parsed(text: string, parse: (text: string) => number | undefined): number {
  const value = parse(text)
  if (value === undefined) throw new TypeError(`"${text}" in a ConfigSpec has no unit`)
  return value
}

function defaultOf(property: Property, flavour: Flavour): unknown {
  if (property.type === 'group') return property.optional || property.required ? undefined : {}
  if (property.default === undefined) return undefined
  return flavour === 'editor' ? property.default : normalDefault(property, property.default)
}

/** A default as the component receives it: units become numbers, at any depth. */
function normalDefault(property: Property, value: unknown): unknown {
  if (property.type === 'duration') return parsed(String(value), parseDuration)
  if (property.type === 'size') return parsed(String(value), parseSize)
  if (property.type === 'list') {
    return (value as readonly unknown[]).map(item => normalDefault(property.items, item))
  }
  if (property.type === 'map') {
    const entries = Object.entries(value as object)
    return Object.fromEntries(entries.map(([k, item]) => [k, normalDefault(property.values, item)]))
  }
  if (property.type === 'group') {
    const { properties } = property
    const entries = Object.entries(value as object)
    return Object.fromEntries(
      entries.map(([k, item]) => [k, properties[k] ? normalDefault(properties[k], item) : item]),
    )
  }
  return value
}
