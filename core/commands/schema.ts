/**
 * `fovea schema`: one JSON schema for the whole file, made of what is installed, for editors; and
 * `fovea schema columns`: the dictionary of columns.
 */
import { defineCommand, type Io } from '../command.ts'
import { fileSchema } from '../config/file_schema.ts'
import { ConfigError, EXIT } from '../errors.ts'
import { columnDictionary } from '../registry.ts'
import { registryOf } from './components.ts'
import { CONFIG_OPTIONS, FORMAT_OPTION } from './options.ts'

export default defineCommand({
  name: 'schema',
  summary: 'Prints the JSON schema of the configuration, or the dictionary of columns',
  operands: '[columns]',
  options: { ...CONFIG_OPTIONS, ...FORMAT_OPTION },
  examples: [
    'fovea schema > fovea.schema.json   then, in line 1 of the YAML:',
    '                                   # yaml-language-server: $schema=fovea.schema.json',
    'fovea schema --config agent.yaml   with the plugins that it names',
    'fovea schema columns',
  ],
  async run(values, [what, ...more], io) {
    if (more.length > 0) throw new ConfigError(`"${more[0]}" is too much; see fovea schema --help`)
    if (what === 'columns') return columns(values.format, io)
    if (what !== undefined) {
      throw new ConfigError(
        `fovea schema ${what}: there is "fovea schema" and "fovea schema columns"`,
      )
    }
    io.out(`${JSON.stringify(await fileSchema(await registryOf(values, io)), null, 2)}\n`)
    return EXIT.ok
  },
})

async function columns(format: 'text' | 'json', io: Io): Promise<number> {
  const dictionary = await columnDictionary()
  if (format === 'json') {
    io.out(`${JSON.stringify(dictionary, null, 2)}\n`)
    return EXIT.ok
  }
  const entries = Object.entries(dictionary)
  const width = Math.max(...entries.map(([name]) => name.length))
  for (const [name, { kind, unit, description, attribute }] of entries) {
    const more = `${unit ? ` [${unit}]` : ''}${attribute ? ` (${attribute})` : ''}`
    io.out(`${name.padEnd(width)}  ${kind.padEnd(7)}  ${description}${more}\n`)
  }
  return EXIT.ok
}
