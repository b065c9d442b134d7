/**
 * The command line: finds the command, runs it, and turns what it throws into words and an exit
 * code.
 *
 * A user's mistake is one line each and code 2, a machine's lack is a sentence with the remedy and
 * code 3; only a bug of ours shows a stack trace.
 */
import { type Command, helpText, type Io, parseCommandLine } from './command.ts'
import { nearest } from './config/suggest.ts'
import { ConfigError, EXIT, isEnvironmentError } from './errors.ts'
import { loadCommands } from './registry.ts'

const COMMANDS: Readonly<Record<string, () => Promise<{ readonly default: Command }>>> = {
  run: () => import('./commands/run.ts'),
  check: () => import('./commands/check.ts'),
  components: () => import('./commands/components.ts'),
  schema: () => import('./commands/schema.ts'),
  version: () => import('./commands/version.ts'),
}

/** Runs one command line (without `node` and the file). @returns the exit code. */
export async function main(args: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(args, io)
  } catch (error) {
    if (error instanceof ConfigError) {
      io.err(`${error.message}\n`)
      return EXIT.config
    }
    if (isEnvironmentError(error)) {
      io.err(`${error.message}\n${error.remedy}\n`)
      return EXIT.environment
    }
    const stack = error instanceof Error ? error.stack : String(error)
    io.err(`this is a bug in fovea or in a plugin, please report it:\n${stack}\n`)
    return EXIT.failed
  }
}

async function dispatch(args: readonly string[], io: Io): Promise<number> {
  const [word, ...rest] = args
  if (word === undefined || word === '--help' || word === '-h' || word === 'help') {
    if (rest[0] !== undefined) return help(await findCommand(rest[0]), io)
    io.out(await overview())
    return word === undefined ? EXIT.config : EXIT.ok
  }
  const command = await findCommand(word === '--version' ? 'version' : word)
  if (rest.includes('--help') || rest.includes('-h')) return help(command, io)
  const { values, operands } = parseCommandLine(command, rest)
  return command.run(values, operands, io)
}

function help(command: Command, io: Io): number {
  io.out(helpText(command))
  return EXIT.ok
}

async function findCommand(name: string): Promise<Command> {
  if (Object.hasOwn(COMMANDS, name)) return (await COMMANDS[name]()).default
  const others = (await loadCommands()) as readonly Command[]
  const found = others.find(command => command.name === name)
  if (found) return found
  const names = [...Object.keys(COMMANDS), ...others.map(command => command.name)]
  const near = nearest(name, names)
  const hint = near === undefined ? `there are ${names.join(', ')}` : `did you mean "${near}"?`
  throw new ConfigError(`there is no command "${name}", ${hint}`)
}

async function overview(): Promise<string> {
  const own = await Promise.all(Object.values(COMMANDS).map(async load => (await load()).default))
  const all = [...own, ...((await loadCommands()) as readonly Command[])]
  const width = Math.max(...all.map(({ name }) => name.length))
  return [
    'Fovea: container-network observability as one pipeline.',
    '',
    'usage: fovea COMMAND [options]',
    '',
    'commands:',
    ...all.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Every command tells more with --help.',
    '',
  ].join('\n')
}

if (import.meta.main) {
  // A reader that went away (`fovea components | head`) is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  const io: Io = {
    out: text => process.stdout.write(text),
    err: text => process.stderr.write(text),
    cwd: process.cwd(),
    env: process.env,
  }
  process.exitCode = await main(process.argv.slice(2), io)
  // What a component left open, a socket or a timer, must not keep a stopped agent alive.
  setTimeout(() => process.exit(), 1000).unref()
}
