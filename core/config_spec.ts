/**
 * How a component states its options: one specification that is validation, defaults, types, the
 * README table and the editor's schema at once. `core/config/schema.ts` turns it into JSON Schema
 * for ajv.
 */

interface Common {
  /** One sentence for the README and the editor. */
  readonly description: string
  /** The user must give a value. Properties without `default` and `required` may be absent. */
  readonly required?: true
}

export interface StringProperty extends Common {
  readonly type: 'string'
  readonly default?: string
  readonly enum?: readonly string[]
  readonly pattern?: string
}
/** A string that is never printed by `check`, logs or any endpoint. */
export interface SecretProperty extends Common {
  readonly type: 'secret'
  readonly default?: string
}
export interface NumberProperty extends Common {
  readonly type: 'integer' | 'number'
  readonly default?: number
  readonly minimum?: number
  readonly maximum?: number
}
export interface BooleanProperty extends Common {
  readonly type: 'boolean'
  readonly default?: boolean
}
/**
 * Written `250ms`, `1h30m`; the component receives milliseconds. A bare number is an error, except
 * 0.
 */
export interface DurationProperty extends Common {
  readonly type: 'duration'
  readonly default?: string
  readonly minimum?: string
  readonly maximum?: string
}
/**
 * Written `64MiB`, `10MB`, `512B`; the component receives bytes. A bare number is an error, except
 * 0.
 */
export interface SizeProperty extends Common {
  readonly type: 'size'
  readonly default?: string
  readonly minimum?: string
  readonly maximum?: string
}
/** A list; a single value stands for a list of one. */
export interface ListProperty extends Common {
  readonly type: 'list'
  readonly items: Property
  readonly default?: readonly unknown[]
}
/** A map with free keys. */
export interface MapProperty extends Common {
  readonly type: 'map'
  readonly values: Property
  readonly default?: Readonly<Record<string, unknown>>
}
/**
 * A nested block of options. Absent means all its defaults, unless `optional`: then it stays
 * undefined.
 */
export interface GroupProperty extends Common {
  readonly type: 'group'
  readonly properties: ConfigSpec
  readonly optional?: true
}
/** Anything else, by a JSON schema of its own. */
export interface JsonProperty extends Common {
  readonly type: 'json'
  readonly schema: Readonly<Record<string, unknown>>
  readonly default?: unknown
}

export type Property =
  | StringProperty
  | SecretProperty
  | NumberProperty
  | BooleanProperty
  | DurationProperty
  | SizeProperty
  | ListProperty
  | MapProperty
  | GroupProperty
  | JsonProperty

export type ConfigSpec = Readonly<Record<string, Property>>

type ValueOf<P extends Property> = P extends StringProperty | SecretProperty
  ? P extends { readonly enum: readonly (infer E)[] }
    ? E
    : string
  : P extends NumberProperty | DurationProperty | SizeProperty
    ? number
    : P extends BooleanProperty
      ? boolean
      : P extends ListProperty
        ? readonly ValueOf<P['items']>[]
        : P extends MapProperty
          ? Readonly<Record<string, ValueOf<P['values']>>>
          : P extends GroupProperty
            ? ConfigOf<P['properties']>
            : unknown

type IsSet<P extends Property> = P extends
  | { readonly default: unknown }
  | { readonly required: true }
  ? true
  : P extends { readonly type: 'group'; readonly optional?: never }
    ? true
    : false

/** The frozen configuration that a component receives, by its specification. */
export type ConfigOf<S extends ConfigSpec> = {
  readonly [K in keyof S]: IsSet<S[K]> extends true ? ValueOf<S[K]> : ValueOf<S[K]> | undefined
}
