/**
 * The checkout as a list of files, for tests that look at the sources themselves.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/** False in an unpacked archive: then nobody knows which files are the project's. */
export const isCheckout = existsSync(join(root, '.git'))

export interface SourceFile {
  /** Relative to the root, with `/`. */
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
}

/** Every file that git tracks or would track, sorted; contents are read once. */
export const files: readonly SourceFile[] = isCheckout ? readAll() : []

function readAll(): SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
  })
  const paths = [...new Set(listed.split('\0'))].filter(Boolean).sort()
  return paths.filter(path => existsSync(join(root, path))).map(path => sourceFile(path))
}

function sourceFile(path: string): SourceFile {
  const bytes = readFileSync(join(root, path))
  // Objects, tapes and pictures have a zero byte early; they have no lines to judge.
  const text = bytes.subarray(0, 4096).includes(0) ? '' : bytes.toString('utf8')
  return { path, text, lines: text.replace(/\n$/, '').split('\n') }
}

export interface Import {
  readonly line: number
  /** The module's name, or for a relative import the path from the root. */
  readonly target: string
  readonly relative: boolean
}

const statement = /(?:^|\n)\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?\s*'([^'\n]+)'/
const call = /import\(\s*['`]([^'`\n]+)['`]/
const importForms = new RegExp(`${statement.source}|${call.source}`, 'g')

/** What a TypeScript file imports, types included. */
export function importsOf({ path, text }: SourceFile): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, comment => comment.replace(/[^\n]/g, ' '))
  return [...code.matchAll(importForms)].map(match => {
    const name = match[1] ?? match[2]!
    const relative = name.startsWith('.')
    return {
      line: code.slice(0, match.index).split('\n').length + Number(match[0].startsWith('\n')),
      target: relative ? join(dirname(path), name) : name,
      relative,
    }
  })
}
