/**
 * `fovea run`: the agent itself. The runtime is imported after the configuration was found right,
 * so that the other commands and every mistake stay quick.
 */
import { defineCommand } from '../command.ts'
import { FORMATS, LEVELS, openLog } from '../log.ts'
import { loadPlan } from '../plan.ts'
import { CONFIG_OPTIONS, sourcesOf } from './options.ts'

export default defineCommand({
  name: 'run',
  summary: 'Runs the pipelines of a configuration until it is stopped',
  options: {
    ...CONFIG_OPTIONS,
    'log-format': {
      type: 'string',
      enum: FORMATS,
      default: 'logfmt',
      description: 'Form of the log on standard error',
    },
    'log-level': {
      type: 'string',
      enum: LEVELS,
      default: 'info',
      description: 'Least important entries that are logged',
    },
    record: {
      type: 'string',
      value: 'FILE',
      description: 'Record what the receivers read, for receivers/replay',
    },
  },
  examples: [
    'fovea run --config configs/agent.yaml',
    'fovea run --config configs/replay.yaml',
    'fovea run --config configs/agent.yaml --set receivers.flows.interval=5s',
    'fovea run --config configs/agent.yaml --log-format json --record /tmp/trace.tape',
  ],
  async run(values, _operands, io) {
    const sources = sourcesOf('run', values, io)
    const plan = await loadPlan(sources)
    const log = openLog({ format: values['log-format'], level: values['log-level'] })
    const service = log.component('service')
    for (const { message, path, file, line } of plan.warnings) {
      service.warn(`${path} ${message}`, { at: line === undefined ? `${file}` : `${file}:${line}` })
    }
    const { runAgent } = await import('../agent.ts')
    const { record } = values
    return runAgent(plan, {
      log,
      signals: true,
      reload: { files: sources.files, plan: () => loadPlan(sources) },
      ...(record === undefined ? {} : { record }),
    })
  },
})
