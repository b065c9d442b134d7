/**
 * A configuration tree against what is installed: every component's options, the service, the
 * references.
 *
 * Finds all mistakes it can and stops at none: a component that is wrong is left out of
 * `components`, and whatever depends on it is not complained about a second time.
 */

import type { ConfigSpec } from '../config_spec.ts'
import type { ConfigError, Problem } from '../errors.ts'
import {
  type Component,
  type ComponentKind,
  KINDS,
  type Registry,
  unknownTypeMessage,
} from '../registry.ts'
import {
  EXPORTER_OPTIONS,
  RECEIVER_OPTIONS,
  SERVICE_OPTIONS,
  type ServiceOptions,
} from './core_options.ts'
import { endpointMistake } from './endpoint.ts'
import { structured } from './fit.ts'
import { parseId } from './ids.ts'
import type { ConfigTree } from './load.ts'
import { type ConfigNode, emptyMap, isNull, type MapNode, type Place, problemAt } from './node.ts'
import { didYouMean } from './suggest.ts'
import { type Validated, validate } from './validate.ts'

export interface Configured<K extends ComponentKind = ComponentKind> {
  readonly id: string
  /** `receivers.flows/uplink` */
  readonly path: string
  readonly at: Place
  readonly component: Component<K>
  /** The component's own options, frozen. */
  readonly config: Readonly<Record<string, unknown>>
  /** The same with those that core adds. */
  readonly options: Readonly<Record<string, unknown>>
  readonly valueAt: Validated['valueAt']
}

export interface Checked {
  readonly components: Readonly<Record<ComponentKind, ReadonlyMap<string, Configured>>>
  /** Every id that is written, right or wrong, by kind. */
  readonly written: Readonly<Record<ComponentKind, ReadonlyMap<string, Place>>>
  /** Undefined when `service` has mistakes of its own. */
  readonly service: ServiceOptions | undefined
  readonly servicePlaces: Pick<Validated, 'valueAt' | 'keyAt'>
  readonly problems: Problem[]
}

const SECTIONS = ['receivers', 'processors', 'exporters', 'plugins', 'service'] as const

/** What a collector user may look for, and what takes its place here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  connectors: 'there are none: a pipeline reads another one with receivers: [pipeline/NAME]',
  extensions: 'there are none: health and own metrics are service.telemetry, servers are exporters',
}

export async function checkConfig(tree: ConfigTree, registry: Registry): Promise<Checked> {
  const problems: Problem[] = [...tree.problems, ...(registry.problems ?? [])]
  checkTopLevel(tree.root, problems)
  const components = { receiver: new Map(), processor: new Map(), exporter: new Map() }
  const written = { receiver: new Map(), processor: new Map(), exporter: new Map() }
  for (const kind of KINDS) {
    const section = mapOf(tree.root, `${kind}s`, problems)
    for (const [key, { keyAt, node }] of section.entries) {
      const path = `${kind}s.${key}`
      const parsed = parseId(key)
      if (typeof parsed === 'string') {
        problems.push(problemAt(keyAt, path, parsed))
        continue
      }
      if (written[kind].has(parsed.id)) {
        problems.push(
          problemAt(keyAt, path, `"${parsed.id}" is there already, written differently`),
        )
        continue
      }
      written[kind].set(parsed.id, keyAt)
      const found = await find(kind, parsed.type, registry, problems, keyAt, path)
      const configured = found && configure(found, parsed.id, path, keyAt, node, problems)
      if (configured) components[kind].set(parsed.id, configured)
    }
  }
  const service = validate(mapOf(tree.root, 'service', problems), SERVICE_OPTIONS, 'service')
  problems.push(...service.problems, ...endpointProblems(service))
  return {
    components,
    written,
    service: service.config as ServiceOptions | undefined,
    servicePlaces: service,
    problems,
  }
}

function checkTopLevel(root: MapNode, problems: Problem[]): void {
  for (const [key, { keyAt }] of root.entries) {
    if ((SECTIONS as readonly string[]).includes(key)) continue
    const near = didYouMean(key, SECTIONS)
    const message =
      ELSEWHERE[key] ?? `unknown section${near || `; there are ${SECTIONS.join(', ')}`}`
    problems.push(problemAt(keyAt, key, message))
  }
}

/** A section as a map; nothing after its key means an empty one. */
function mapOf(root: MapNode, key: string, problems: Problem[]): MapNode {
  const entry = root.entries.get(key)
  if (!entry) return emptyMap(root.at)
  const node = structured(entry.node)
  if (node.kind === 'map') return node
  const reported = node.kind === 'scalar' && node.broken
  if (!isNull(node) && !reported) {
    const what = key === 'service' ? 'pipelines, telemetry and shutdown_timeout' : `${key} by id`
    problems.push(problemAt(node.at, key, `expected a map of ${what}`))
  }
  return emptyMap(entry.keyAt)
}

async function find(
  kind: ComponentKind,
  type: string,
  registry: Registry,
  problems: Problem[],
  at: Place,
  path: string,
): Promise<Component | undefined> {
  if (registry.types(kind).includes(type)) return registry.load(kind, type)
  // A plugin that could not be loaded may be the one that has this type.
  if ((registry.problems?.length ?? 0) > 0) return undefined
  const other = KINDS.find(other => other !== kind && registry.types(other).includes(type))
  const message =
    kind === 'receiver' && type === 'pipeline'
      ? 'a pipeline is not configured here, only named in the receivers of a pipeline'
      : other
        ? `"${type}" is a type of ${other}; write it under ${other}s`
        : unknownTypeMessage(kind, type, registry.types(kind))
  problems.push(problemAt(at, path, message))
  return undefined
}

function configure(
  component: Component,
  id: string,
  path: string,
  at: Place,
  node: ConfigNode,
  problems: Problem[],
): Configured | undefined {
  // An empty block has no place of its own that a person would look at: its key has.
  const block = isNull(node) ? emptyMap(at) : node
  const own = component.definition.config
  const {
    config: options,
    problems: found,
    valueAt,
  } = validate(block, optionsOf(component), path, at)
  problems.push(...found)
  if (!options) return undefined
  const config = Object.freeze(
    Object.fromEntries(Object.entries(options).filter(([key]) => Object.hasOwn(own, key))),
  )
  return { id, path, at, component, config, options, valueAt }
}

const extended = new WeakMap<ConfigSpec, ConfigSpec>()

/**
 * A component's options and those that core adds; the component's own win, so that it can set a
 * default.
 */
export function optionsOf(component: Pick<Component, 'kind' | 'definition'>): ConfigSpec {
  const own = component.definition.config
  if (component.kind === 'processor') return own
  let spec = extended.get(own)
  if (!spec) {
    const core = component.kind === 'receiver' ? RECEIVER_OPTIONS : EXPORTER_OPTIONS
    spec = { ...own, ...core, ...own }
    extended.set(own, spec)
  }
  return spec
}

/**
 * For a ConfigError that a component throws: its problems, placed where the option in `path` stands
 * (dotted, from the component's own options), or at the component.
 */
export function placeProblems(error: ConfigError, configured: Configured): Problem[] {
  return error.problems.map(problem => {
    if (problem.file !== undefined) return problem
    const { path, message } = problem
    if (!path) return problemAt(configured.at, configured.path, message)
    return problemAt(configured.valueAt(...path.split('.')), `${configured.path}.${path}`, message)
  })
}

function endpointProblems({ config, valueAt }: Validated): Problem[] {
  const telemetry = (config as ServiceOptions | undefined)?.telemetry
  return (['endpoint', 'otlp_endpoint'] as const).flatMap(key => {
    const mistake = endpointMistake(telemetry?.[key] ?? '')
    if (mistake === undefined) return []
    return problemAt(valueAt('telemetry', key), `service.telemetry.${key}`, mistake)
  })
}
