/**
 * Options that several commands share.
 */
import type { CommandOptions, Io } from '../command.ts'
import type { ConfigSources } from '../config/load.ts'
import { ConfigError } from '../errors.ts'

export const CONFIG_OPTIONS = {
  config: {
    type: 'string',
    multiple: true,
    value: 'FILE',
    description: 'Configuration; later ones override earlier ones',
  },
  set: {
    type: 'string',
    multiple: true,
    value: 'PATH=VALUE',
    description: 'One value over all files, the path with dots',
  },
} as const satisfies CommandOptions

export const FORMAT_OPTION = {
  format: {
    type: 'string',
    enum: ['text', 'json'],
    default: 'text',
    description: 'Form of the output',
  },
} as const satisfies CommandOptions

interface ConfigValues {
  readonly config: readonly string[]
  readonly set: readonly string[]
}

/** @throws ConfigError when no file is named. */
export function sourcesOf(command: string, values: ConfigValues, io: Io): ConfigSources {
  if (values.config.length === 0) {
    throw new ConfigError(
      [
        `fovea ${command} needs a configuration. Two are shipped:`,
        `  fovea ${command} --config configs/agent.yaml   this host's traffic (root, Linux 5.10)`,
        `  fovea ${command} --config configs/replay.yaml  a recorded trace (any machine)`,
      ].join('\n'),
    )
  }
  return { files: values.config, sets: values.set, env: io.env, cwd: io.cwd }
}
