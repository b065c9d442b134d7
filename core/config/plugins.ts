/**
 * The `plugins:` list of a configuration: each entry resolved from the folder of the file that
 * names it, then from the working directory, and added to the registry.
 */
import { ConfigError, type Problem } from '../errors.ts'
import { resolvePlugin } from '../plugins.ts'
import { createRegistry, type Registry } from '../registry.ts'
import { structured } from './fit.ts'
import type { ConfigTree } from './load.ts'
import { type ConfigNode, isNull, problemAt } from './node.ts'

/** The registry that this configuration is to be checked with; mistakes are in its `problems`. */
export async function openRegistry(tree: ConfigTree): Promise<Registry> {
  const problems: Problem[] = []
  const files: string[] = []
  for (const { node, path } of pluginEntries(tree)) {
    if (node.kind === 'scalar' && node.broken) continue
    try {
      if (node.kind !== 'scalar' || typeof node.value !== 'string') {
        throw new ConfigError('expected the name of a package or a path such as ./my_receiver')
      }
      const file = await resolvePlugin(node.text, [node.at.folder, tree.cwd])
      if (files.includes(file)) throw new ConfigError(`${node.text} is named twice`)
      await createRegistry([...files, file])
      files.push(file)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      problems.push(problemAt(node.at, path, error.message))
    }
  }
  return { ...(await createRegistry(files)), problems }
}

function pluginEntries(tree: ConfigTree): { node: ConfigNode; path: string }[] {
  const entry = tree.root.entries.get('plugins')
  if (!entry || isNull(entry.node)) return []
  const node = structured(entry.node)
  if (node.kind !== 'list') return [{ node, path: 'plugins' }]
  return node.items.map((item, index) => ({ node: item, path: `plugins.${index}` }))
}
