/**
 * A configuration fit to be shown: every value of a secret option masked, at any depth.
 */
import type { ConfigSpec, Property } from '../config_spec.ts'

export const REDACTED = '[REDACTED]'

/** A copy of `config`, as the component receives it, without its secrets. */
export function redact(
  config: Readonly<Record<string, unknown>>,
  spec: ConfigSpec,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, redactValue(value, spec[name])]),
  )
}

function redactValue(value: unknown, property: Property | undefined): unknown {
  if (value === undefined || property === undefined) return value
  switch (property.type) {
    case 'secret':
      return value === '' ? '' : REDACTED
    case 'list':
      return (value as readonly unknown[]).map(item => redactValue(item, property.items))
    case 'map':
      return Object.fromEntries(
        Object.entries(value as object).map(([k, v]) => [k, redactValue(v, property.values)]),
      )
    case 'group':
      return redact(value as Readonly<Record<string, unknown>>, property.properties)
    default:
      return value
  }
}
