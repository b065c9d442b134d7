/**
 * What a command of the command line is: ours in `core/commands/`, and `command.ts` in a
 * component's folder.
 *
 * Options are stated once; parsing, help and the "did you mean" of a misspelt option come from the
 * statement.
 */
import { parseArgs } from 'node:util'
import { didYouMean } from './config/suggest.ts'
import { ConfigError } from './errors.ts'

export interface CommandOption {
  readonly type: 'string' | 'boolean'
  /** May be given several times. */
  readonly multiple?: true
  /** Name of the value in the help: `FILE`. */
  readonly value?: string
  readonly description: string
  readonly enum?: readonly string[]
  readonly default?: string
}
export type CommandOptions = Readonly<Record<string, CommandOption>>

type ValueOf<O extends CommandOption> = O['type'] extends 'boolean'
  ? boolean
  : O extends { readonly multiple: true }
    ? readonly string[]
    : O extends { readonly enum: readonly (infer E)[] }
      ? O extends { readonly default: string }
        ? E
        : E | undefined
      : O extends { readonly default: string }
        ? string
        : string | undefined
export type ValuesOf<O extends CommandOptions> = { readonly [K in keyof O]: ValueOf<O[K]> }

/** Where a command writes and what it sees of its surroundings; tests give their own. */
export interface Io {
  out(text: string): void
  err(text: string): void
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface Command<O extends CommandOptions = CommandOptions> {
  readonly name: string
  /** One line, without a full stop. */
  readonly summary: string
  /** Names of what follows the options: `[columns]`. */
  readonly operands?: string
  readonly options: O
  /** Whole command lines. */
  readonly examples: readonly string[]
  /** @returns the exit code. Throws ConfigError and EnvironmentError for what is not our bug. */
  run(values: ValuesOf<O>, operands: readonly string[], io: Io): Promise<number>
}

/** Makes a command whose `run` knows the types of its options. */
export function defineCommand<const O extends CommandOptions>(command: Command<O>): Command {
  return command as unknown as Command
}

export interface Parsed {
  readonly values: ValuesOf<CommandOptions>
  readonly operands: readonly string[]
}

/**
 * @throws ConfigError for an option that is unknown, lacks its value, or has one that it cannot
 * have.
 */
export function parseCommandLine(command: Command, args: readonly string[]): Parsed {
  const { options } = command
  const stated = Object.entries(options).map(
    ([name, { type, multiple }]) => [name, { type, multiple: multiple ?? false }] as const,
  )
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(stated),
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const mistake = optionMistake(token.name, token.rawName, token.value, options)
    if (mistake) throw new ConfigError(`${mistake}; see fovea ${command.name} --help`)
  }
  if (positionals.length > 0 && command.operands === undefined) {
    const hint = `fovea ${command.name} takes options only`
    throw new ConfigError(
      `"${positionals[0]}" is too much; ${hint}, see fovea ${command.name} --help`,
    )
  }
  const filled = Object.entries(options).map(([name, option]) => {
    const empty = option.multiple ? [] : option.type === 'boolean' ? false : option.default
    return [name, values[name] ?? empty]
  })
  return { values: Object.fromEntries(filled), operands: positionals }
}

function optionMistake(
  name: string,
  raw: string,
  value: string | undefined,
  options: CommandOptions,
): string | undefined {
  const option = Object.hasOwn(options, name) ? options[name] : undefined
  if (!option)
    return `unknown option ${raw}${didYouMean(name, Object.keys(options)).replace('"', '"--')}`
  if (option.type === 'boolean') return value === undefined ? undefined : `${raw} takes no value`
  if (value === undefined) return `${raw} needs a value: ${raw} ${option.value ?? 'VALUE'}`
  if (option.enum && !option.enum.includes(value)) {
    return `${raw} ${value}: there are ${option.enum.join(', ')}${didYouMean(value, option.enum)}`
  }
  return undefined
}

/** The text of `fovea <command> --help`. */
export function helpText(command: Command): string {
  const { name, summary, options, operands, examples } = command
  const rows = Object.entries(options).map(([option, { value, type, enum: values }]) => {
    const what = type === 'boolean' ? '' : ` ${values ? values.join('|') : (value ?? 'VALUE')}`
    return `--${option}${what}`
  })
  const width = Math.max(0, ...rows.map(row => row.length))
  const lines = Object.values(options).map(
    ({ description, multiple, default: fallback }, index) => {
      const more = multiple ? ' (several times)' : fallback ? ` (default ${fallback})` : ''
      return `  ${rows[index].padEnd(width)}  ${description}${more}`
    },
  )
  const usage = ['usage: fovea', name, ...(rows.length > 0 ? ['[options]'] : [])]
  if (operands) usage.push(operands)
  const parts = [`${summary}.`, '', usage.join(' ')]
  if (lines.length > 0) parts.push('', 'options:', ...lines)
  parts.push('', 'examples:', ...examples.map(example => `  ${example}`))
  return `${parts.join('\n')}\n`
}
