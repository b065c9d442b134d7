/**
 * Whether a definition that a plugin exports is one: what TypeScript would have told its author.
 */
import { parseDuration, parseSize } from './config/units.ts'
import type { Property } from './config_spec.ts'

/** What is wrong with a definition, or undefined. */
export function definitionMistake(value: unknown): string | undefined {
  const definition = value as Partial<Record<string, unknown>> | null
  const kind = definition?.kind
  if (kind !== 'receiver' && kind !== 'processor' && kind !== 'exporter') {
    return 'the default export is not made by defineReceiver, defineProcessor or defineExporter'
  }
  const { type, config } = definition as Partial<Record<string, unknown>>
  if (typeof type !== 'string' || !/^[a-z][a-z0-9_]{0,62}$/.test(type) || type === 'pipeline') {
    return `a ${kind} of a plugin states its "type" in lower_snake_case`
  }
  const needed = { receiver: 'emits', processor: 'plan', exporter: 'needs' }[kind]
  for (const key of ['summary', 'stability', 'config', 'open', needed]) {
    if (definition?.[key] === undefined) return `${kind} ${type} states no "${key}"`
  }
  const wrong = specMistake(config as Readonly<Record<string, Property>>, '')
  return wrong === undefined ? undefined : `${kind} ${type}: ${wrong}`
}

const TYPES = 'string secret integer number boolean duration size list map group json'.split(' ')

function specMistake(spec: Readonly<Record<string, Property>>, path: string): string | undefined {
  for (const [name, property] of Object.entries(spec)) {
    const at = path === '' ? name : `${path}.${name}`
    if (!TYPES.includes(property?.type)) {
      return `option ${at} has the type "${property?.type}"; there are ${TYPES.join(', ')}`
    }
    if (typeof property.description !== 'string') return `option ${at} has no description`
    const wrong = unitMistake(property, at) ?? nestedMistake(property, at)
    if (wrong) return wrong
  }
  return undefined
}

function nestedMistake(property: Property, at: string): string | undefined {
  if (property.type === 'group') return specMistake(property.properties, at)
  if (property.type === 'list') return specMistake({ '[]': property.items }, at)
  if (property.type === 'map') return specMistake({ '*': property.values }, at)
  return undefined
}

function unitMistake(property: Property, at: string): string | undefined {
  if (property.type !== 'duration' && property.type !== 'size') return undefined
  const parse = property.type === 'duration' ? parseDuration : parseSize
  for (const key of ['default', 'minimum', 'maximum'] as const) {
    const text: unknown = property[key]
    if (text === undefined || (typeof text === 'string' && parse(text) !== undefined)) continue
    return `option ${at} has the ${key} ${JSON.stringify(text)}, which is no ${property.type}`
  }
  return undefined
}
