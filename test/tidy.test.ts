/**
 * The house rules that a machine can check: lengths, names, first lines, words, folders,
 * dependencies.
 *
 * The linter checks functions in TypeScript and formatting; `imports.test.ts` checks who imports
 * whom. Each failure lists every place at once.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { syncReadme } from '../core/readme.ts'
import { type ComponentKind, loadComponent } from '../core/registry.ts'
import { files, importsOf, isCheckout, root, type SourceFile } from './harness/tree.ts'

const isGenerated = (path: string) =>
  /\.generated\.ts$|^package-lock\.json$|^LICENSE$|\.svg$|\/expected\.|\/fixtures\//.test(path)
const sources = files.filter(({ path }) => !isGenerated(path))
const ours = (pattern: RegExp) => sources.filter(({ path }) => pattern.test(path))
const fail = (list: readonly string[]) => assert.deepEqual(list, [])

describe('tidy', { skip: isCheckout ? false : 'not a git checkout' }, () => {
  test('the top level holds what the map of the house names and nothing else', () => {
    const allowed = new Set(
      `.ci .gitignore CONTRIBUTING.md LICENSE README.md biome.json configs core examples exporters
       native package-lock.json package.json processors receivers test tsconfig.json`.split(/\s+/),
    )
    fail([...new Set(files.map(({ path }) => path.split('/')[0]!))].filter(x => !allowed.has(x)))
  })

  test('files are at most 300 lines long, BPF programs 250', () => {
    const limitOf = (path: string) => (path.endsWith('.bpf.c') ? 250 : 300)
    fail(
      ours(/\.(ts|mjs|c|h|sh)$|\.ci\/run$/)
        .filter(({ path, lines }) => lines.length > limitOf(path))
        .map(
          ({ path, lines }) => `${path}: ${lines.length} lines; is there a second reason to exist?`,
        ),
    )
  })

  test('lines are at most 100 columns wide', () => {
    const width = (line: string) => [...line.replaceAll('\t', '        ')].length
    fail(
      ours(/\.(ts|mjs|c|h|sh|yaml)$|\.ci\/run$/).flatMap(({ path, lines }) =>
        lines.flatMap((line, index) =>
          width(line) > 100 ? [`${path}:${index + 1}: ${width(line)} columns`] : [],
        ),
      ),
    )
  })

  test('C functions are at most 60 lines long', () => {
    fail(ours(/\.[ch]$/).flatMap(longFunctions))
  })

  test('each file opens by saying what it is', () => {
    const opening: Record<string, RegExp> = {
      ts: /^\/\*\*(\n \*)? \S/,
      mjs: /^\/\*\*\n \* \S/,
      c: /^(\/\/ SPDX-License-Identifier: .+\n)?\/\*\n \* \S/,
      h: /^(\/[/*] SPDX-License-Identifier: .+\n)?\/\*\n? \*? ?\S/,
      sh: /^#!\/bin\/sh\n# \S/,
    }
    fail(
      ours(/\.(ts|mjs|c|h|sh)$/)
        .filter(({ path, text }) => !opening[path.split('.').at(-1)!]!.test(text))
        .map(({ path }) => `${path}: begin with 2-5 sentences: what it is and why it exists`),
    )
  })

  test('BPF programs state licence, hook, oldest kernel and cost', () => {
    const wanted = [/^ \* .*\?$/m, /Hooks?: /, /Oldest kernel: /, /Cost: /, /"Dual BSD\/GPL"/]
    fail(
      ours(/^receivers\/.*\.bpf\.c$/).flatMap(({ path, text }) =>
        wanted.filter(part => !part.test(text)).map(part => `${path}: nothing like ${part}`),
      ),
    )
  })

  test('names are lower_snake_case', () => {
    const house = /^(README|CONTRIBUTING)\.md$|^LICENSE$|^Containerfile$|^package-lock\.json$/
    const snake = /^\.?[a-z0-9]+(_[a-z0-9]+)*(\.[a-z0-9]+(_[a-z0-9]+)*)*$/
    // Helm fixes the names of its own files, npm those of scoped packages.
    const theirs = /^configs\/helm\/|\/Chart\.yaml$|\/fixtures\//
    fail(
      files
        .filter(({ path }) => !theirs.test(path))
        .filter(({ path }) => path.split('/').some(part => !snake.test(part) && !house.test(part)))
        .map(({ path }) => path),
    )
  })

  test('no open ends, no host of a registry, no path of one machine', () => {
    // Put together here so that this file does not find itself.
    const words = ['TO DO', 'FIX ME', 'XX X', 'registry. npmjs', 'proxy. golang', 'deb. debian']
    const paths = ['/wo rk/', '/ro ot/', '/home /']
    const banned = [...words, ...paths].map(word => word.replace(' ', ''))
    fail(
      sources.flatMap(({ path, lines }) =>
        lines.flatMap((line, index) =>
          banned.filter(word => line.includes(word)).map(word => `${path}:${index + 1}: ${word}`),
        ),
      ),
    )
  })

  test('no test is skipped or singled out for good', () => {
    fail(
      ours(/^(test|examples)\/.*\.test\.ts$/).flatMap(({ path, lines }) =>
        lines.flatMap((line, index) =>
          /\b(test|it|describe)\.(skip|todo|only)\b|\b(skip|todo|only): true\b/.test(line)
            ? [`${path}:${index + 1}`]
            : [],
        ),
      ),
    )
  })
})

function longFunctions({ path, lines }: SourceFile): string[] {
  const long: string[] = []
  let start = -1
  lines.forEach((line, index) => {
    if (line === '{') start = index
    else if (line === '}' && start >= 0) {
      if (index - start + 1 > 60) long.push(`${path}:${start + 1}: ${index - start + 1} lines`)
      start = -1
    }
  })
  return long
}

describe('components', { skip: isCheckout ? false : 'not a git checkout' }, () => {
  const folders = [
    ...new Set(
      files.flatMap(
        ({ path }) => /^((receiver|processor|exporter)s\/\w+)\/index\.ts$/.exec(path)?.[1] ?? [],
      ),
    ),
  ]

  test('every component has a README with the four headings', () => {
    const headings = [
      /^## What it answers$/m,
      /^## (Columns|Series|Columns and series)$/m,
      /^## Options$/m,
      /^## Cost and requirements$/m,
    ]
    const missing = folders.flatMap(folder => {
      const readme = join(root, folder, 'README.md')
      if (!existsSync(readme)) return [`${folder}/README.md is missing`]
      const text = readFileSync(readme, 'utf8')
      return headings.filter(part => !part.test(text)).map(part => `${folder}/README.md: ${part}`)
    })
    fail(missing)
  })

  test('the options in a README are those of the code (UPDATE=1 writes them)', async () => {
    const wrong: string[] = []
    for (const folder of folders) {
      const [kind, type] = folder.split('/') as [string, string]
      const { definition } = await loadComponent(kind.slice(0, -1) as ComponentKind, type)
      const readme = join(root, folder, 'README.md')
      if (!existsSync(readme)) continue
      wrong.push(syncReadme(readme, definition.config, process.env.UPDATE === '1') ?? '')
    }
    fail(wrong.filter(Boolean))
  })
})

describe('dependencies', { skip: isCheckout ? false : 'not a git checkout' }, () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly dependencies: Record<string, string>
    readonly devDependencies: Record<string, string>
    readonly optionalDependencies: Record<string, string>
    readonly scripts: Record<string, string>
  }
  const packageOf = (name: string) => /^(@[^/]+\/)?[^/]+/.exec(name)![0]
  const importedBy = (list: readonly SourceFile[]) =>
    new Set(
      list.flatMap(file =>
        importsOf(file)
          .filter(used => !used.relative)
          .map(used => packageOf(used.target)),
      ),
    )

  test('what the agent depends on is imported by the agent', () => {
    const used = importedBy(ours(/^(core|native|receivers|processors|exporters)\/.*\.ts$/))
    fail(Object.keys(manifest.dependencies).filter(name => !used.has(name)))
  })

  test('what development depends on is used by a source, a script or the compiler', () => {
    const used = importedBy(ours(/\.ts$/))
    const texts = ours(/\.ts$|^tsconfig\.json$/).map(({ text }) => text)
    const commands = [...Object.values(manifest.scripts), ...texts].join('\n')
    const isUsed = (name: string) =>
      used.has(name) ||
      texts.some(text => text.includes(`'${name}'`) || text.includes(`${name}/`)) ||
      commandsOf(name).some(command => new RegExp(`\\b${command}\\b`).test(commands)) ||
      (name.startsWith('@types/') && texts.some(text => text.includes(`"${name.slice(7)}"`)))
    fail(Object.keys(manifest.devDependencies).filter(name => !isUsed(name)))
  })

  test('versions are exact, and nothing is imported that is not declared', () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies }
    const versions = Object.entries({ ...all, ...manifest.optionalDependencies })
    fail(versions.filter(([, version]) => !/^\d/.test(version)).map(([name]) => name))
    const sourcesOfOurs = ours(/^(core|native|receivers|processors|exporters|test)\/.*\.ts$/)
    const known = (name: string) => /^(node:.*|fovea)$/.test(name) || name in all
    fail([...importedBy(sourcesOfOurs)].filter(name => !known(name)))
  })
})

/** Names of the programs that a package brings. */
function commandsOf(name: string): string[] {
  const file = join(root, 'node_modules', name, 'package.json')
  const { bin } = JSON.parse(readFileSync(file, 'utf8')) as { bin?: string | object }
  return typeof bin === 'object' ? Object.keys(bin) : bin ? [name] : []
}
