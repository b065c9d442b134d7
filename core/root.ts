/**
 * Where Fovea itself is: the folder of its package.json, in a checkout, in a bundle
 * (`dist/agent.cjs`) and installed under node_modules alike.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

let found: string | undefined

/**
 * Absolute path. The nearest package.json named `fovea` upwards from the file of the running code.
 */
export function root(): string {
  found ??= search(dirname(fileURLToPath(import.meta.url)))
  return found
}

function search(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (packageField(folder, 'name') === 'fovea') return folder
    if (dirname(folder) === folder) throw new Error(`no package.json of fovea above ${start}`)
  }
}

/** Version of the package that is running. */
export function version(): string {
  return packageField(root(), 'version') ?? 'unknown'
}

function packageField(folder: string, field: string): string | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))[field]
  } catch {
    return undefined
  }
}
