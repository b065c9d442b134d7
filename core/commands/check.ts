/**
 * `fovea check`: everything that `run` would find wrong before it starts, and the columns after
 * each stage.
 */
import { defineCommand } from '../command.ts'
import { EXIT, formatProblem } from '../errors.ts'
import { loadPlan } from '../plan.ts'
import { planJson, planText } from '../plan_text.ts'
import { CONFIG_OPTIONS, FORMAT_OPTION, sourcesOf } from './options.ts'

export default defineCommand({
  name: 'check',
  summary: 'Checks a configuration and prints the columns after each stage',
  options: { ...CONFIG_OPTIONS, ...FORMAT_OPTION },
  examples: [
    'fovea check --config configs/agent.yaml',
    'fovea check --config configs/agent.yaml --config local.yaml --set exporters.otlp.timeout=10s',
    'fovea check --config configs/agent.yaml --format json',
  ],
  async run(values, _operands, io) {
    const plan = await loadPlan(sourcesOf('check', values, io))
    if (values.format === 'json') io.out(`${JSON.stringify(planJson(plan), null, 2)}\n`)
    else io.out(planText(plan))
    for (const warning of plan.warnings) io.err(`warning: ${formatProblem(warning)}\n`)
    return EXIT.ok
  },
})
