/**
 * Who may import whom: the table of the architecture as a test.
 *
 * The rules keep components apart, so that each can be read, copied and loaded alone. A broken rule
 * is printed with what to do instead.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { files, type Import, importsOf, isCheckout } from './harness/tree.ts'

type Verdict = string | undefined
const notACheckout = isCheckout ? false : 'not a git checkout'

const corePackages = /^(yaml|ajv(\/.*)?|piscina|@opentelemetry\/.+)$/
/** Packages that only core may use: a component that needs one asks core for it. */
const coreOnly = /^(yaml|ajv(\/.*)?|piscina)$/
/** Stages run in a thread whose event loop stands still between two calls. */
const noSockets = /^node:(net|http|https|http2|tls|dgram|child_process|timers.*|worker_threads)$/
/** The Kubernetes client, and whatever `feed` needs: main thread, sockets allowed. */
const mainThread = /^processors\/\w+\/(client\/|feed\b)/

test('nobody imports what the architecture keeps apart', { skip: notACheckout }, () => {
  const broken: string[] = []
  for (const file of files) {
    if (!file.path.endsWith('.ts') || file.path.startsWith('test/')) continue
    for (const used of importsOf(file)) {
      const remedy = judge(file.path, used)
      if (remedy) broken.push(`${file.path}:${used.line} imports ${used.target}: ${remedy}`)
    }
  }
  assert.deepEqual(broken, [])
})

test('a stage has no timers', { skip: notACheckout }, () => {
  const broken = files
    .filter(({ path }) => /^processors\/.*\.ts$/.test(path) && !mainThread.test(path))
    .filter(({ text }) => /\bset(Timeout|Interval|Immediate)\(/.test(text))
    .map(({ path }) => `${path}: time comes to a stage by \`tick\``)
  assert.deepEqual(broken, [])
})

test('the rules see a forbidden import and let a permitted one pass', () => {
  const at = (from: string, target: string) =>
    judge(from, { line: 1, target, relative: /^\w+\/.*\.ts$/.test(target) })
  assert.equal(at('receivers/flows/index.ts', 'core/index.ts'), undefined)
  assert.equal(at('receivers/flows/index.ts', 'receivers/columns.ts'), undefined)
  assert.match(at('receivers/flows/index.ts', 'receivers/drops/index.ts')!, /directly in receivers/)
  assert.match(at('receivers/flows/index.ts', 'core/batch.ts')!, /core\/index\.ts/)
  assert.match(at('processors/filter/index.ts', 'native/index.ts')!, /no native/)
  assert.match(at('processors/filter/index.ts', 'node:net')!, /feed/)
  assert.match(at('exporters/otlp/index.ts', 'yaml')!, /core/)
  assert.match(at('core/plan.ts', 'receivers/flows/index.ts')!, /registry/)
  assert.match(at('core/plan.ts', '@grpc/grpc-js')!, /core uses/)
  assert.equal(at('core/registry.ts', 'receivers/flows/index.ts'), undefined)
  assert.match(at('native/index.ts', 'core/index.ts')!, /knows bytes/)
})

function judge(from: string, used: Import): Verdict {
  const [folder] = from.split('/')
  if (used.relative && used.target.startsWith('test/'))
    return 'tests import code, never the reverse'
  switch (folder) {
    case 'core':
      return judgeCore(from, used)
    case 'native':
      return judgeNative(from, used)
    case 'receivers':
    case 'processors':
    case 'exporters':
      return judgeComponent(from, folder, used)
    case 'examples':
      return judgeExample(from, used)
  }
  return undefined
}

function judgeCore(from: string, { target, relative }: Import): Verdict {
  if (!relative) {
    if (target.startsWith('node:') || corePackages.test(target)) return undefined
    return 'core uses yaml, ajv, piscina and @opentelemetry/*; the rest belongs to a component'
  }
  if (target.startsWith('core/')) return undefined
  if (from === 'core/registry.ts') return undefined
  return 'core knows no component: core/registry.ts loads them by name'
}

function judgeNative(from: string, { target, relative }: Import): Verdict {
  // The bundler runs before there is an agent, and knows what it bundles.
  if (from === 'native/bundle.ts') return undefined
  if (!relative && target.startsWith('node:')) return undefined
  if (target.startsWith('native/')) return undefined
  return 'native knows bytes, not meanings: move the meaning to the caller'
}

function judgeComponent(from: string, kind: string, { target, relative }: Import): Verdict {
  if (!relative) return judgePackage(from, kind, target)
  const own = from.split('/').length > 2 ? `${from.split('/').slice(0, 2).join('/')}/` : undefined
  if (own !== undefined && target.startsWith(own)) return undefined
  if (target.startsWith(`${kind}/`)) {
    if (target.split('/').length === 2) return undefined
    return `what two components share is a file directly in ${kind}/`
  }
  if (target === 'core/index.ts') return undefined
  if (target.startsWith('core/')) return 'components import core/index.ts only: export it there'
  if (target.startsWith('native/')) {
    if (kind !== 'receivers')
      return `${kind} have no native: ask core's host, or do it in a receiver`
    return target === 'native/index.ts' ? undefined : 'import native/index.ts: export it there'
  }
  if (/^processors\/kubernetes\/client\//.test(target)) {
    return kind === 'receivers' || from.endsWith('/command.ts') ? undefined : 'for receivers only'
  }
  return 'components do not know each other: what all kinds share belongs to core'
}

function judgePackage(from: string, kind: string, target: string): Verdict {
  if (coreOnly.test(target)) return 'this package is used through core'
  if (kind === 'processors' && noSockets.test(target) && !mainThread.test(from)) {
    return 'a stage has no sockets: put it into feed.ts, which runs in the main thread'
  }
  return undefined
}

function judgeExample(from: string, { target, relative }: Import): Verdict {
  const own = `${from.split('/').slice(0, 2).join('/')}/`
  if (relative)
    return target.startsWith(own) ? undefined : "an example is a package: import 'fovea'"
  if (/^(node:.+|fovea|fovea\/native)$/.test(target)) return undefined
  return 'an example shows the public entries alone'
}
