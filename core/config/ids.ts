/**
 * Component ids as in the Collector: `type` or `type/name`.
 */

export interface ComponentId {
  /** `type` or `type/name`, without spaces around either. */
  readonly id: string
  readonly type: string
}

const TYPE = /^[a-zA-Z][0-9a-zA-Z_]{0,62}$/
const NAME = /^[^\p{Z}\p{C}\p{S}]{1,1024}$/u

/** The id, or a sentence saying what is wrong with it. */
export function parseId(text: string): ComponentId | string {
  const slash = text.indexOf('/')
  const type = (slash < 0 ? text : text.slice(0, slash)).trim()
  if (!TYPE.test(type)) {
    return `"${text}" is no component id: a type is letters, digits and _, first a letter`
  }
  if (slash < 0) return { id: type, type }
  const name = text.slice(slash + 1).trim()
  if (!NAME.test(name)) {
    return `"${text}" is no component id: after the / comes a name without spaces and symbols`
  }
  return { id: `${type}/${name}`, type }
}

/** True when `name` can be a pipeline's. */
export function isPipelineName(name: string): boolean {
  return NAME.test(name)
}
