/**
 * `fovea components`: what is installed, how stable it is, and which columns it gives, wants and
 * adds.
 */
import { defineCommand, type Io } from '../command.ts'
import { loadConfig } from '../config/load.ts'
import { openRegistry } from '../config/plugins.ts'
import { type Description, describe } from '../describe.ts'
import { ConfigError, EXIT } from '../errors.ts'
import { createRegistry, type Registry } from '../registry.ts'
import { wrapped } from '../text.ts'
import { CONFIG_OPTIONS, FORMAT_OPTION } from './options.ts'

interface Named {
  readonly config: readonly string[]
  readonly set: readonly string[]
}

/** Built-in components, and the plugins of the configurations that are named. */
export async function registryOf({ config, set }: Named, io: Io): Promise<Registry> {
  if (config.length === 0) return createRegistry()
  const registry = await openRegistry(
    loadConfig({ files: config, sets: set, env: io.env, cwd: io.cwd }),
  )
  if (registry.problems && registry.problems.length > 0) throw new ConfigError(registry.problems)
  return registry
}

export default defineCommand({
  name: 'components',
  summary: 'Lists the installed receivers, processors and exporters with their columns',
  options: { ...CONFIG_OPTIONS, ...FORMAT_OPTION },
  examples: [
    'fovea components',
    'fovea components --config agent.yaml   with the plugins that it names',
    'fovea components --format json',
  ],
  async run(values, _operands, io) {
    const all = await describe(await registryOf(values, io))
    if (values.format === 'json') io.out(`${JSON.stringify(all, null, 2)}\n`)
    else io.out(all.map(text).join('\n'))
    return EXIT.ok
  },
})

function text(component: Description): string {
  const { kind, type, stability, source, summary, emits, needs, adds } = component
  const lines = [`${kind} ${type}  ${stability}${source === 'built in' ? '' : `  ${source}`}`]
  const add = (head: string, names: readonly string[]) =>
    lines.push(`  ${head}${wrapped(names.join(' '), head.length + 2)}`)
  lines.push(`  ${summary}`)
  for (const [table, columns] of Object.entries(emits ?? {})) {
    add(`emits ${table}: `, Object.keys(columns))
  }
  for (const need of needs ?? []) add('needs ', need.length > 0 ? need : ['nothing'])
  if (adds && adds.length > 0) add('adds ', adds)
  return `${lines.join('\n')}\n`
}
