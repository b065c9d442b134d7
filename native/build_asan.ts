/**
 * Builds the addon with AddressSanitizer and runs its own tests on it.
 *
 * Node itself is not instrumented, so the sanitizer's library is loaded first and leak detection,
 * which would report Node, is off; descriptors and kernel objects are counted by the tests.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { compileAddon } from './build_addon.ts'

/** @throws Error when a test fails or the sanitizer finds anything. */
export function buildAsan(root: string): void {
  const addon = join(root, 'native/build/asan/fovea.node')
  compileAddon(root, addon, ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'])
  const library = (name: string) =>
    spawnSync('cc', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim()
  const tests = globSync('test/native/*.test.ts', { cwd: root })
  const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...tests], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      FOVEA_ADDON: addon,
      LD_PRELOAD: `${library('libasan.so')} ${library('libubsan.so')}`,
      ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1',
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  })
  if (status !== 0) throw new Error('the tests of native/ failed under AddressSanitizer')
}
