/**
 * The public entry: what our own components and third-party packages import (`import ... from
 * 'fovea'`). There is one instance of it in a process, whoever loads it.
 */
export * from './batch.ts'
export { didYouMean, nearest } from './config/suggest.ts'
export type * from './config_spec.ts'
export * from './contract.ts'
export * from './errors.ts'
export { grown, Pool, TextPool } from './pools.ts'
export { root } from './root.ts'
export * from './series.ts'
export * from './tape.ts'
export { widen } from './widen.ts'
