/**
 * From the command line's `--config` and `--set` to one tree: read, parse, merge in order, expand.
 *
 * Text that is not YAML ends here, because nothing below it can be trusted; all other mistakes are
 * carried along in `problems`, so that the user sees them together with what the schemas and the
 * plan find.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError, type Problem } from '../errors.ts'
import { type Environment, expandTree, fileReason } from './expand.ts'
import { merge, parseSet } from './merge.ts'
import {
  type ConfigNode,
  emptyMap,
  fileStart,
  isNull,
  type MapNode,
  type Place,
  problemAt,
} from './node.ts'
import { parseYaml } from './yaml.ts'

export interface ConfigSources {
  /** Paths as the user wrote them, in order. */
  readonly files: readonly string[]
  /** `a.b.c=v`, in order, after all files. */
  readonly sets?: readonly string[]
  /** Default: this process's. */
  readonly env?: Environment
  readonly cwd?: string
}

export interface ConfigTree {
  readonly root: MapNode
  /** Mistakes that were found so far and did not hinder reading on. */
  readonly problems: readonly Problem[]
  /** As the user named them, in order. */
  readonly files: readonly string[]
  readonly cwd: string
}

/** @throws ConfigError when a file cannot be read or is no YAML. */
export function loadConfig(sources: ConfigSources): ConfigTree {
  const cwd = sources.cwd ?? process.cwd()
  const problems: Problem[] = []
  const parts: MapNode[] = []
  for (const file of sources.files) {
    const part = readPart(file, cwd, problems)
    if (part) parts.push(part)
  }
  for (const set of sources.sets ?? []) {
    const part = parseSet(set, cwd, problems)
    if (part) parts.push(part)
  }
  if (problems.length > 0) throw new ConfigError(problems)
  const first: Place = parts[0]?.at ?? { file: '', folder: cwd }
  const merged = parts.reduce<ConfigNode>(merge, emptyMap(first))
  const root = expandTree(merged, sources.env ?? process.env, problems) as MapNode
  return { root, problems, files: sources.files, cwd }
}

function readPart(file: string, cwd: string, problems: Problem[]): MapNode | undefined {
  const absolute = resolve(cwd, file)
  let text: string
  try {
    // What some editors put in front counts as no column.
    text = readFileSync(absolute, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    problems.push({ file, message: `cannot be read: ${fileReason(error)}` })
    return undefined
  }
  const start = fileStart(file, absolute)
  const node = parseYaml(text, start, problems)
  if (node.kind === 'map') return { ...node, at: start }
  if (isNull(node)) return emptyMap(start)
  const message = 'a configuration is a map of receivers, processors, exporters, plugins, service'
  problems.push(problemAt(node.at, '', message))
  return undefined
}
