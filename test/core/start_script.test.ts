/**
 * The start script `core/bin/fovea`: which Node it becomes, with which flags and files, wherever
 * npm put it.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { root } from '../../core/root.ts'

let folder: string
before(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'fovea-start-')))
})
after(() => rmSync(folder, { recursive: true }))

/** A package laid out as npm does, with a Node that only prints how it was called. */
function installed(name: string, pinned: string | undefined, bundle: boolean): string {
  const home = join(folder, name)
  const bin = join(home, 'node_modules/fovea/core/bin/fovea')
  const file = (path: string, text: string) => {
    mkdirSync(dirname(join(home, path)), { recursive: true })
    writeFileSync(join(home, path), text)
  }
  const node = '#!/bin/sh\necho "$0" "$@"\n'
  file('node_modules/fovea/core/main.ts', '')
  if (bundle) file('node_modules/fovea/dist/agent.cjs', '')
  if (pinned) {
    for (const cpu of ['x64', 'arm64']) {
      const path = `${pinned}/node-linux-${cpu}/bin/node`
      file(path, node)
      chmodSync(join(home, path), 0o755)
    }
  }
  mkdirSync(dirname(bin), { recursive: true })
  copyFileSync(join(root(), 'core/bin/fovea'), bin)
  chmodSync(bin, 0o755)
  mkdirSync(join(home, 'node_modules/.bin'), { recursive: true })
  symlinkSync('../fovea/core/bin/fovea', join(home, 'node_modules/.bin/fovea'))
  return home
}

function started(home: string, env: Readonly<Record<string, string>> = {}) {
  const bin = join(home, 'node_modules/.bin/fovea')
  const result = spawnSync(bin, ['run', '--config', 'a b.yaml'], {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', ...env },
    cwd: '/',
  })
  return { ...result, stdout: result.stdout.replaceAll(home, '~') }
}

const FLAGS = '--max-semi-space-size=1'
const CPU = process.arch

test('the pinned Node is found beside the package or inside it, through links', () => {
  const hoisted = started(installed('hoisted', 'node_modules', true))
  assert.equal(
    hoisted.stdout,
    `~/node_modules/node-linux-${CPU}/bin/node ${FLAGS} ` +
      '~/node_modules/fovea/dist/agent.cjs run --config a b.yaml\n',
  )
  const nested = started(installed('nested', 'node_modules/fovea/node_modules', false))
  assert.equal(
    nested.stdout,
    `~/node_modules/fovea/node_modules/node-linux-${CPU}/bin/node ${FLAGS} ` +
      '~/node_modules/fovea/core/main.ts run --config a b.yaml\n',
  )
})

test('without it Node 24 or later from the path, or what to do and exit 3', () => {
  const home = installed('bare', undefined, true)
  const path = join(home, 'path')
  mkdirSync(path)
  const node = (text: string) => {
    writeFileSync(join(path, 'node'), `#!/bin/sh\n${text}\n`)
    chmodSync(join(path, 'node'), 0o755)
  }
  const env = { PATH: `${path}:/usr/bin:/bin` }
  node('[ "$1" = --version ] && echo v24.1.0 || echo started')
  assert.equal(started(home, env).stdout, 'started\n')
  node('echo v20.20.2')
  const old = started(home, env)
  assert.equal(old.status, 3)
  assert.match(
    old.stderr,
    /^fovea needs Node 24 or later; found here: v20\.20\.2\.\nOn Linux .*npm install/,
  )
})
