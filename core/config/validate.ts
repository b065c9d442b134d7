/**
 * One block of options against its specification: fitted, checked by ajv with all defaults filled
 * in, frozen.
 */
import { Ajv, type ValidateFunction } from 'ajv'
import type { ConfigSpec } from '../config_spec.ts'
import type { Problem } from '../errors.ts'
import { fitSpec, newFitting, placeOf, pointerTo } from './fit.ts'
import { toProblems } from './messages.ts'
import { type ConfigNode, emptyMap, type Place } from './node.ts'
import { OPTION_TYPE, specSchema } from './schema.ts'

const ajv = new Ajv({
  allErrors: true,
  verbose: true,
  useDefaults: true,
  strictTypes: false,
  strictRequired: false,
})
ajv.addVocabulary([OPTION_TYPE])

const compiled = new WeakMap<ConfigSpec, ValidateFunction>()

function validatorOf(spec: ConfigSpec): ValidateFunction {
  let validate = compiled.get(spec)
  if (!validate) {
    validate = ajv.compile(specSchema(spec, 'check'))
    compiled.set(spec, validate)
  }
  return validate
}

/**
 * Where something stands, by keys from the top: `place('pipelines', 'metrics', 'exporters', 0)`.
 */
export type PlaceOf = (...keys: readonly (string | number)[]) => Place

export interface Validated {
  /** Frozen, with defaults; undefined when `problems` is not empty. */
  readonly config: Readonly<Record<string, unknown>> | undefined
  readonly problems: readonly Problem[]
  /** Where a value stands, or the nearest thing around it that is written. */
  readonly valueAt: PlaceOf
  /** Where its key stands. */
  readonly keyAt: PlaceOf
}

/** Checks `node`, the block under `path`; `keyAt` is where the block's own key stands. */
export function validate(
  node: ConfigNode,
  spec: ConfigSpec,
  path: string,
  keyAt: Place = node.at,
): Validated {
  const problems: Problem[] = []
  const fitting = newFitting(path, problems)
  fitting.keys.set('', keyAt)
  const config = fitSpec(node, spec, '', fitting)
  const check = validatorOf(spec)
  if (!check(config)) problems.push(...toProblems(check.errors ?? [], fitting))
  const ok = problems.length === 0 && fitting.broken.size === 0
  return {
    config: ok ? deepFreeze(config as Record<string, unknown>) : undefined,
    problems,
    valueAt: (...keys) => placeOf(pointer(keys), fitting, false),
    keyAt: (...keys) => placeOf(pointer(keys), fitting, true),
  }
}

function pointer(keys: readonly (string | number)[]): string {
  return keys.reduce<string>((at, key) => pointerTo(at, key), '')
}

/** The configuration that an empty block means, or undefined when the user must give something. */
export function defaultConfig(spec: ConfigSpec): Readonly<Record<string, unknown>> | undefined {
  return validate(emptyMap({ file: '', folder: '' }), spec, '').config
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) deepFreeze(inner)
  }
  return value
}
