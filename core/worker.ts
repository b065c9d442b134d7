/**
 * The file that piscina runs in a worker thread: it opens the stages once, then answers one task
 * after another.
 *
 * Its event loop stands still between tasks (piscina waits in `Atomics.wait`), which is why stages
 * have no timers and no sockets. Buffers go back by transfer, through piscina's `move`.
 */
import { move } from 'piscina'
import type { ProcessorDefinition } from './contract.ts'
import { installFoveaModule } from './plugins.ts'
import { createRegistry } from './registry.ts'
import type { Task, TaskResult, WorkerDefinition } from './runtime/messages.ts'
import { StageGraph } from './runtime/stages.ts'

const TRANSFERABLE = Symbol.for('Piscina.transferable')
const VALUE = Symbol.for('Piscina.valueOf')

let graph: StageGraph | undefined

async function open(definition: WorkerDefinition): Promise<StageGraph> {
  installFoveaModule()
  const registry = await createRegistry(definition.plugins)
  const definitions = new Map<string, ProcessorDefinition>()
  for (const pipeline of definition.pipelines) {
    for (const { type } of pipeline.stages) {
      if (definitions.has(type)) continue
      const loaded = await registry.load('processor', type)
      definitions.set(type, loaded.definition as ProcessorDefinition)
    }
  }
  return new StageGraph(definition, definitions)
}

export default async function run(task: Task): Promise<unknown> {
  if (task.definition) graph = await open(task.definition)
  if (!graph) throw new Error('the first task of a worker must carry its definition')
  const result: TaskResult = graph.run(task)
  return move({
    [TRANSFERABLE]: [...result.outputs.map(({ batch }) => batch.buffer), ...result.spares],
    [VALUE]: result,
  } as never)
}
