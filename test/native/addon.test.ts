/** The addon itself: whatever JavaScript gives it, it throws and never crashes or leaks. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { type Addon, loadAddon } from '../../native/addon.ts'
import { openKernel } from '../../native/index.ts'
import { eventually, exists, hostOf, needsRoot, probePath, root, run } from './help.ts'

const skip = needsRoot
const opens = 1000
const object = readFileSync(probePath)

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

/** Kernel ids that this process holds now. */
function idsHeld(): { kind: string; id: number }[] {
  return readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
      const found = /^(link|map|prog)_id:\s*(\d+)/m.exec(text)
      return found ? [{ kind: found[1]!, id: Number(found[2]) }] : []
    } catch {
      return []
    }
  })
}

function openEverything(): () => void {
  const kernel = openKernel(hostOf())
  const programs = ['probe_second', 'probe_tracing', 'probe_iterator']
  const object = kernel.openObject('probe.bpf.o', { programs })
  object.ring('ring')
  object.attach('probe_tracing', { kind: 'tp_btf' })
  object.attach('probe_iterator', { kind: 'iterator' }).read!(new Uint8Array(8))
  kernel.links().onChange(() => {})
  return () => kernel.close()
}

test('a thousand opens leave no descriptor, program, map or link', { skip }, async () => {
  openEverything()()
  const before = descriptors()
  const samples: { kind: string; id: number }[] = []
  for (let i = 0; i < opens; i++) {
    const close = openEverything()
    if (i % 250 === 0) samples.push(...idsHeld())
    close()
  }
  assert.deepEqual(new Set(samples.map(one => one.kind)), new Set(['map', 'prog', 'link']))
  assert.equal(descriptors(), before)
  assert.deepEqual(idsHeld(), [])
  await eventually('the kernel frees all of it', () => !samples.some(exists))
})

test('a hundred objects that fail to load leave no descriptor', { skip }, () => {
  const kernel = openKernel(hostOf())
  const open = () => kernel.openObject('probe.bpf.o', { programs: ['probe_refused'] })
  assert.throws(open)
  const before = descriptors()
  for (let i = 0; i < 100; i++) assert.throws(open)
  assert.equal(descriptors(), before)
})

test('closing twice is false, and every other use of a closed handle is EBADF', { skip }, () => {
  const addon = loadAddon()
  const handle = addon.open(object, 'probe')
  assert.equal(addon.close(handle), true)
  assert.equal(addon.close(handle), false)
  const second = addon.open(object, 'probe')
  assert.notEqual(second, handle, 'the slot is used again, the number is not')
  assert.throws(() => addon.maps(handle), { code: 'EBADF' })
  assert.throws(() => addon.ringDrain(second, new Uint8Array(8)), { code: 'EBADF' })
  assert.throws(() => addon.iteratorRead(second, new Uint8Array(8)), { code: 'EBADF' })
  for (const invented of [-1, 0, 0.5, 1e300, Number.NaN, second + 2 ** 20]) {
    assert.throws(() => addon.load(invented), { code: 'EBADF' })
    assert.equal(addon.close(invented), false)
  }
  addon.close(second)
})

test('an object that was loaded cannot be changed', { skip }, () => {
  const addon = loadAddon()
  const handle = addon.open(object, 'probe')
  const names = addon.programs(handle).map(program => program.name)
  names.forEach((name, index) => {
    addon.setAutoload(handle, index, name === 'probe_second' ? 1 : 0)
  })
  addon.load(handle)
  assert.throws(() => addon.load(handle), { code: 'EBUSY' })
  assert.throws(() => addon.setAutoload(handle, 0, 1), { code: 'EBUSY' })
  assert.throws(() => addon.setMapSize(handle, 0, 1), { code: 'EBUSY' })
  assert.throws(() => addon.programFd(handle, 0), { code: 'ENOENT' })
  assert.throws(() => addon.programFd(handle, names.length), { code: 'ENOENT' })
  assert.throws(() => addon.mapLookup(handle, 99, object, object), { code: 'ENOENT' })
  assert.ok(addon.close(handle))
})

test('bytes written outside a data section are refused', { skip }, () => {
  const addon = loadAddon()
  const handle = addon.open(object, 'probe')
  const section = addon.maps(handle).findIndex(map => map.name.endsWith('.rodata'))
  addon.setInitial(handle, section, 0, new Uint8Array(4))
  for (const offset of [64, 2 ** 32 - 1]) {
    assert.throws(() => addon.setInitial(handle, section, offset, new Uint8Array(4)), {
      code: 'ERANGE',
    })
  }
  assert.throws(() => addon.setInitial(handle, 0, 0, new Uint8Array(4)), { code: 'ERANGE' })
  addon.close(handle)
})

test('random arguments throw and never crash', { skip }, () => {
  const script = `${root}test/native/random_arguments.ts`
  const calls = 20_000
  for (const seed of ['7', '11', '13']) {
    const heard = run('unshare', '--net', process.execPath, script, `${calls}`, seed)
    const { thrown, codes } = JSON.parse(heard) as { thrown: number; codes: string[] }
    assert.ok(thrown > calls / 2 && thrown < calls)
    assert.ok(codes.includes('EINVAL') && codes.includes('EBADF'))
    for (const code of codes) assert.match(code, /^E[A-Z0-9]+$/)
  }
})

test('the addon works in a worker, and a worker that is terminated leaves nothing', {
  skip,
}, async () => {
  const before = descriptors()
  const script = new URL('worker.ts', import.meta.url)
  for (const ending of ['close', 'terminate']) {
    const workers = [new Worker(script), new Worker(script)]
    const heard = await Promise.all(
      workers.map(worker => new Promise(done => worker.once('message', done))),
    )
    assert.deepEqual(heard, [7, 7])
    assert.ok(idsHeld().length > 0)
    if (ending === 'terminate') await Promise.all(workers.map(worker => worker.terminate()))
    else {
      const ended = workers.map(worker => new Promise(done => worker.once('exit', done)))
      for (const worker of workers) worker.postMessage('close')
      await Promise.all(ended)
    }
    assert.deepEqual(idsHeld(), [])
  }
  await eventually('the workers give back their descriptors', () => descriptors() <= before)
})

test('a watch does not keep the process alive', { skip }, () => {
  const code = `import { openKernel } from './native/index.ts'
    openKernel({ id: 'test', asset: name => name }).links().onChange(() => {})
    console.log('watching')`
  assert.equal(run(process.execPath, '--input-type=module-typescript', '-e', code), 'watching\n')
})

test('every entry point is declared', () => {
  const header = readFileSync(`${root}native/addon/addon.h`, 'utf8')
  const names = [...header.matchAll(/X\(\w+, "(\w+)"\)/g)].map(match => match[1]!)
  const addon: Addon = loadAddon()
  assert.deepEqual(Object.keys(addon).sort(), names.sort())
})
