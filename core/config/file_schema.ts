/**
 * One JSON schema (draft-07, which editors' YAML support reads) for a whole configuration file,
 * made of the components that are installed.
 */
import { type ComponentKind, KINDS, type Registry } from '../registry.ts'
import { optionsOf } from './check.ts'
import { SERVICE_OPTIONS } from './core_options.ts'
import { type JsonSchema, specSchema } from './schema.ts'

/** Loads every component of the registry. */
export async function fileSchema(registry: Registry): Promise<JsonSchema> {
  const sections: Record<string, JsonSchema> = {}
  for (const kind of KINDS) sections[`${kind}s`] = await sectionSchema(kind, registry)
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Fovea configuration',
    type: 'object',
    additionalProperties: false,
    properties: {
      ...sections,
      plugins: {
        description: 'Packages and paths of further components.',
        type: ['array', 'string', 'null'],
        items: { type: 'string' },
      },
      service: nullable(specSchema(SERVICE_OPTIONS, 'editor'), 'Pipelines, telemetry, shutdown.'),
    },
  }
}

async function sectionSchema(kind: ComponentKind, registry: Registry): Promise<JsonSchema> {
  const patternProperties: Record<string, JsonSchema> = {}
  for (const type of registry.types(kind)) {
    const component = await registry.load(kind, type)
    const { summary, stability } = component.definition
    const description = `${summary} (${stability}).`
    patternProperties[`^${type}(/.+)?$`] = nullable(
      specSchema(optionsOf(component), 'editor'),
      description,
    )
  }
  return {
    description: `What ${kind}s there are, by id: type or type/name.`,
    type: ['object', 'null'],
    additionalProperties: false,
    patternProperties,
  }
}

/** Nothing after the key means all defaults. */
function nullable(schema: JsonSchema, description: string): JsonSchema {
  return { ...schema, description, type: ['object', 'null'] }
}
