/**
 * Writes `x.generated.ts` from the layouts of an object file.
 *
 * The text depends on the layouts alone, so the file is fresh when its bytes are equal.
 */
import type { Layout, Layouts } from './layout.ts'

/** The whole text of the generated file. `object` is the object's file name. */
export function generatedText(object: string, layouts: Layouts): string {
  const lines = [
    `// Written by \`node native/build.ts bpf\` from the BTF of ${object}; never edited by hand.`,
    '',
    `/** Equals \`BpfObject.btfHash\` of the object these offsets belong to. */`,
    `export const btfHash = '${layouts.btfHash}'`,
  ]
  for (const [name, layout] of layouts.structs) lines.push('', ...structLines(name, layout))
  for (const [name, values] of layouts.enums) lines.push('', ...enumLines(name, values))
  return `${lines.join('\n')}\n`
}

function structLines(name: string, layout: Layout): string[] {
  const fields = Object.entries(layout.fields).map(
    ([key, { offset, type, length }]) =>
      `    ${key}: { offset: ${offset}, type: '${type}', length: ${length} },`,
  )
  return [
    `/** struct ${name} */`,
    `export const ${camelCase(name)} = {`,
    `  size: ${layout.size},`,
    '  fields: {',
    ...fields,
    '  },',
    '} as const',
  ]
}

function enumLines(name: string, values: ReadonlyMap<string, number>): string[] {
  const entries = [...values].map(([key, value]) => `  ${key}: ${value},`)
  return [`/** enum ${name} */`, `export const ${camelCase(name)} = {`, ...entries, '} as const']
}

function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
