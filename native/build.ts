/**
 * The build command of everything that is not TypeScript: `node native/build.ts
 * bpf|addon|release|asan`.
 *
 * Each step does nothing when its inputs did not change. With `--check`, or with CI set, `bpf`
 * writes nothing and fails when a committed file is not what its source gives.
 */
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const usage = `usage: node native/build.ts STEP
  bpf [--check] [FOLDER...]  objects and layouts, beside their sources
  addon                      native/build/fovea.node for this machine
  release                    native/prebuilt/linux-*/fovea.node with libbpf inside
  asan                       runs the tests of the addon under AddressSanitizer`

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

async function main([step, ...rest]: string[]): Promise<void> {
  const folders = rest.filter(word => !word.startsWith('--'))
  const check = rest.includes('--check') || (process.env.CI ?? '') !== ''
  if (step === 'bpf') (await import('./build_bpf.ts')).buildBpf(root, folders, check)
  else if (step === 'addon') (await import('./build_addon.ts')).buildAddon(root)
  else if (step === 'release') await (await import('./build_release.ts')).buildRelease(root)
  else if (step === 'asan') (await import('./build_asan.ts')).buildAsan(root)
  else throw new Error(usage)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
