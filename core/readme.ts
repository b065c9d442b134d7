/**
 * The options table of a component's README, written from its specification, so that the two cannot
 * differ.
 *
 * It stands between `<!-- options -->` and `<!-- /options -->`. A test compares; UPDATE=1 writes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { ConfigSpec, Property } from './config_spec.ts'

const BEGIN = '<!-- options -->'
const END = '<!-- /options -->'

/** A markdown table, one row an option; options of a group are `group.option`. */
export function optionsTable(spec: ConfigSpec): string {
  const rows = optionRows(spec, '')
  if (rows.length === 0) return 'There are no options.'
  const lines = rows.map(
    cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`,
  )
  return ['| option | type | default | description |', '|---|---|---|---|', ...lines].join('\n')
}

/**
 * Compares the table in the file `path` with the specification, or writes it there when `update`.
 *
 * @returns what is wrong and what to do, or undefined.
 */
export function syncReadme(path: string, spec: ConfigSpec, update = false): string | undefined {
  const text = readFileSync(path, 'utf8')
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  if (begin < 0 || end < begin) return `${path} lacks ${BEGIN} and ${END} around its options table`
  const before = text.slice(0, begin + BEGIN.length)
  const right = `${before}\n${optionsTable(spec)}\n${text.slice(end)}`
  if (right === text) return undefined
  if (!update)
    return `${path}: the options table is not what the schema says; run the test with UPDATE=1`
  writeFileSync(path, right)
  return undefined
}

type Cells = readonly [name: string, type: string, fallback: string, description: string]

function optionRows(spec: ConfigSpec, prefix: string): Cells[] {
  return Object.entries(spec).flatMap(([name, property]) => {
    const path = `${prefix}${name}`
    const own: Cells = [
      `\`${path}\``,
      typeText(property),
      defaultText(property),
      property.description,
    ]
    return [own, ...nestedRows(property, path)]
  })
}

function nestedRows(property: Property, path: string): Cells[] {
  switch (property.type) {
    case 'group':
      return optionRows(property.properties, `${path}.`)
    case 'list':
      return nestedRows(property.items, `${path}[]`)
    case 'map':
      return nestedRows(property.values, `${path}.NAME`)
    default:
      return []
  }
}

function typeText(property: Property): string {
  switch (property.type) {
    case 'string':
      return property.enum ? property.enum.map(value => `\`${value}\``).join(' or ') : 'text'
    case 'list':
      return `list of ${typeText(property.items)}`
    case 'map':
      return `map of ${typeText(property.values)}`
    case 'integer':
    case 'number':
    case 'duration':
    case 'size':
      return `${property.type}${rangeText(property.minimum, property.maximum)}`
    case 'json':
      return 'see below'
    default:
      return property.type
  }
}

function rangeText(minimum?: number | string, maximum?: number | string): string {
  if (minimum !== undefined && maximum !== undefined) return `, ${minimum} to ${maximum}`
  if (minimum !== undefined) return `, at least ${minimum}`
  return maximum === undefined ? '' : `, at most ${maximum}`
}

function defaultText(property: Property): string {
  if (property.required) return 'required'
  if (property.type === 'group') return ''
  const { default: fallback } = property
  if (fallback === undefined) return ''
  return `\`${typeof fallback === 'string' ? fallback || '""' : JSON.stringify(fallback)}\``
}
