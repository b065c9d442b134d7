/**
 * From a configuration to a plan: components loaded, options checked, columns followed along every
 * pipeline.
 *
 * Nothing is opened here. What comes out can run as far as columns go; what is wrong is thrown all
 * at once.
 */
import { type Checked, type Configured, checkConfig, placeProblems } from './config/check.ts'
import { type ExporterOptions, queueOf, type ServiceOptions } from './config/core_options.ts'
import { type ConfigSources, type ConfigTree, loadConfig } from './config/load.ts'
import { problemAt } from './config/node.ts'
import { openRegistry } from './config/plugins.ts'
import { checkReferences, type References } from './config/references.ts'
import type { ExporterDefinition, ProcessorDefinition, ReceiverDefinition } from './contract.ts'
import { ConfigError, type Problem } from './errors.ts'
import { planPipelines } from './plan_columns.ts'
import { emittedBy, neededBy, tablesMistake } from './plan_tables.ts'
import type {
  Plan,
  PlannedExporter,
  PlannedProcessor,
  PlannedReceiver,
  ServiceConfig,
} from './plan_types.ts'
import type { Registry } from './registry.ts'

/** Loads, checks and plans a configuration. @throws ConfigError with everything that is wrong. */
export async function loadPlan(sources: ConfigSources): Promise<Plan> {
  const tree = loadConfig(sources)
  return makePlan(tree, await openRegistry(tree))
}

/** @throws ConfigError with everything that is wrong. */
export async function makePlan(tree: ConfigTree, registry: Registry): Promise<Plan> {
  const checked = await checkConfig(tree, registry)
  const references = checkReferences(checked)
  const problems: Problem[] = [...checked.problems, ...references.problems]
  const used = usedIds(references)
  const receivers = plannedReceivers(checked, used.receiver, problems)
  const processors = plannedProcessors(checked, used.processor)
  const exporters = plannedExporters(checked, used.exporter, problems)
  const parts = { receivers, processors, exporters, checked, registry }
  const pipelines = await planPipelines(references.pipelines, parts, problems)
  if (problems.length > 0) throw new ConfigError(inOrder(problems, tree.files))
  return Object.freeze({
    receivers: [...receivers.values()],
    processors: [...processors.values()],
    exporters: [...exporters.values()],
    pipelines,
    plugins: registry.plugins,
    service: serviceConfig(checked.service as ServiceOptions),
    warnings: references.warnings,
  })
}

type Used = Readonly<Record<'receiver' | 'processor' | 'exporter', ReadonlySet<string>>>

function usedIds({ pipelines }: References): Used {
  const ids = (key: 'receivers' | 'processors' | 'exporters') =>
    new Set(pipelines.flatMap(pipeline => pipeline[key].map(({ id }) => id)))
  return { receiver: ids('receivers'), processor: ids('processors'), exporter: ids('exporters') }
}

function planned({ id, component, config }: Configured) {
  return { id, type: component.type, config, folder: component.folder }
}

function plannedReceivers(
  checked: Checked,
  used: ReadonlySet<string>,
  problems: Problem[],
): Map<string, PlannedReceiver> {
  const out = new Map<string, PlannedReceiver>()
  for (const [id, configured] of checked.components.receiver) {
    const definition = configured.component.definition as ReceiverDefinition
    const tables = attempt(configured, problems, () =>
      emittedBy(definition, configured.component.type, configured.config),
    )
    if (!tables) continue
    const mistake = tablesMistake(tables)
    if (mistake) {
      const message = `receiver ${configured.component.type} is at fault: ${mistake}`
      problems.push(problemAt(configured.at, configured.path, message))
      continue
    }
    const required = configured.options.required === true
    if (used.has(id)) out.set(id, { ...planned(configured), definition, tables, required })
  }
  return out
}

function plannedProcessors(
  checked: Checked,
  used: ReadonlySet<string>,
): Map<string, PlannedProcessor> {
  const out = new Map<string, PlannedProcessor>()
  for (const [id, configured] of checked.components.processor) {
    const definition = configured.component.definition as ProcessorDefinition
    if (used.has(id)) out.set(id, { ...planned(configured), definition })
  }
  return out
}

function plannedExporters(
  checked: Checked,
  used: ReadonlySet<string>,
  problems: Problem[],
): Map<string, PlannedExporter> {
  const out = new Map<string, PlannedExporter>()
  for (const [id, configured] of checked.components.exporter) {
    const definition = configured.component.definition as ExporterDefinition
    const options = configured.options as unknown as ExporterOptions
    const queue = queueOf(options.sending_queue)
    if (typeof queue === 'string') {
      const at = configured.valueAt('sending_queue', 'queue_size')
      problems.push(problemAt(at, `${configured.path}.sending_queue.queue_size`, queue))
      continue
    }
    const needs = attempt(configured, problems, () => neededBy(definition, configured.config))
    if (!needs || !used.has(id)) continue
    const retry = options.retry_on_failure
    const timeoutMs = options.timeout
    out.set(id, { ...planned(configured), definition, needs, queue, retry, timeoutMs })
  }
  return out
}

/**
 * What a component says about its own configuration; a ConfigError is placed where the component
 * stands.
 */
function attempt<T>(configured: Configured, problems: Problem[], ask: () => T): T | undefined {
  try {
    return ask()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...placeProblems(error, configured))
    return undefined
  }
}

function serviceConfig({ shutdown_timeout, telemetry }: ServiceOptions): ServiceConfig {
  return Object.freeze({ shutdown_timeout, telemetry })
}

/** By file in the order they were given, then by line. */
function inOrder(problems: readonly Problem[], files: readonly string[]): Problem[] {
  const rank = ({ file }: Problem): number => {
    const index = files.indexOf(file ?? '')
    return index < 0 ? files.length : index
  }
  return problems.toSorted(
    (a, b) =>
      rank(a) - rank(b) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  )
}
