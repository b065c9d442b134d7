/**
 * `fovea/native` of the installed package, for a plugin's own tests: the names of native/index.ts,
 * from the bundle. Inside a running agent the same name is answered by the agent itself
 * (core/plugins.ts).
 */
import { native } from '../dist/agent.cjs'

export const { KernelError, kernelProblem, openKernel, u64 } = native
