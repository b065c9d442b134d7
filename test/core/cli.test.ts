/**
 * The command line as a user meets it: output, messages and exit codes, in this process and as a
 * process.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { main } from '../../core/main.ts'
import { root, version } from '../../core/root.ts'

const PLUGIN = `import * as fovea from 'fovea'
const { defineExporter, defineProcessor, defineReceiver, MissingColumns } = fovea
const rest = { summary: 'Part of a test', open() { throw new Error('not opened') } } as const
const tuple = { time_us: 'number', source_address: 'address' } as const
const config = { interval: { type: 'duration', default: '1s', description: 'How often.' } } as const
export default [
  { ...defineReceiver({ ...rest, stability: 'alpha', config, emits: tuple }), type: 'ticks' },
  {
    ...defineProcessor({
      ...rest,
      stability: 'beta',
      config: {},
      plan(tables) {
        const [[table, columns]] = Object.entries(tables)
        if (!columns.source_address) throw new MissingColumns(['source_address'])
        return { [table]: { ...columns, site: 'text' } }
      },
    }),
    type: 'sites',
  },
  {
    ...defineExporter({ ...rest, stability: 'stable', config: {}, needs: { site: 'text' } }),
    type: 'lines',
  },
]
`
const AGENT = `plugins: [./plugin.ts]
receivers: { ticks: }
processors: { sites: }
exporters: { lines: }
service: { pipelines: { all: { receivers: ticks, processors: sites, exporters: lines } } }
`

let folder: string
before(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'fovea-cli-')))
  writeFileSync(join(folder, 'plugin.ts'), PLUGIN)
  writeFileSync(join(folder, 'agent.yaml'), AGENT)
  writeFileSync(join(folder, 'wrong.yaml'), AGENT.replace('ticks: }', 'ticks: { intervl: 1 } }'))
})
after(() => rmSync(folder, { recursive: true }))

async function fovea(...args: readonly string[]) {
  let out = ''
  let err = ''
  const code = await main(args, {
    out: text => (out += text),
    err: text => (err += text),
    cwd: folder,
    env: {},
  })
  return { code, out, err }
}

test('check prints the columns after each stage and exits 0', async () => {
  assert.deepEqual(await fovea('check', '--config', 'agent.yaml'), {
    code: 0,
    out: `pipeline all: ticks -> sites -> lines
  in     ticks  time_us number, source_address address
  sites  ticks  adds site text
  lines         takes ticks
`,
    err: '',
  })
})

test('check warns of what is in no pipeline, and still exits 0', async () => {
  const { code, err } = await fovea(
    'check',
    '--config',
    'agent.yaml',
    '--set',
    'receivers.ticks/b={}',
  )
  assert.equal(code, 0)
  assert.equal(err, 'warning: --set receivers.ticks/b is in no pipeline, so it does nothing\n')
})

test('check as JSON is the plan as data', async () => {
  const { out } = await fovea('check', '--config', 'agent.yaml', '--format', 'json')
  const plan = JSON.parse(out)
  assert.deepEqual(plan.pipelines[0].processors[0].tables_out.ticks.site, 'text')
  assert.deepEqual(plan.receivers, [{ id: 'ticks', type: 'ticks', config: { interval: 1000 } }])
})

test('a mistake in the configuration exits 2 with one line and no stack', async () => {
  for (const command of ['check', 'run']) {
    assert.deepEqual(await fovea(command, '--config', 'wrong.yaml'), {
      code: 2,
      out: '',
      err: 'wrong.yaml:2:23 receivers.ticks.intervl: unknown option, did you mean "interval"?\n',
    })
  }
})

test('without a configuration both shipped ones are named', async () => {
  for (const command of ['check', 'run']) {
    const { code, out, err } = await fovea(command)
    assert.equal(code, 2)
    assert.equal(out, '')
    assert.match(err, new RegExp(`^fovea ${command} needs a configuration`))
    assert.match(err, /--config configs\/agent\.yaml/)
    assert.match(err, /--config configs\/replay\.yaml/)
  }
})

test('a command or an option that does not exist gets the near one', async () => {
  const cases: Readonly<Record<string, string>> = {
    chekc: 'there is no command "chekc", did you mean "check"?',
    'run --confg a.yaml': 'unknown option --confg, did you mean "--config"?; see fovea run --help',
    'run --config': '--config needs a value: --config FILE; see fovea run --help',
    'run --log-format xml': '--log-format xml: there are logfmt, json; see fovea run --help',
    'run --log-level inof':
      '--log-level inof: there are debug, info, warn, error, did you mean "info"?; ' +
      'see fovea run --help',
    'check agent.yaml':
      '"agent.yaml" is too much; fovea check takes options only, see fovea check --help',
    'schema rows': 'fovea schema rows: there is "fovea schema" and "fovea schema columns"',
  }
  for (const [line, message] of Object.entries(cases)) {
    assert.deepEqual(
      await fovea(...line.split(' ')),
      { code: 2, out: '', err: `${message}\n` },
      line,
    )
  }
  const { err } = await fovea('frobnicate')
  assert.match(
    err,
    /^there is no command "frobnicate", there are run, check, components, schema, version/,
  )
})

test('help lists the commands, and each command has its own with examples', async () => {
  const { code, out } = await fovea('--help')
  assert.equal(code, 0)
  for (const name of ['run', 'check', 'components', 'schema', 'version']) {
    assert.match(out, new RegExp(`^  ${name} +[A-Z]`, 'm'))
    const help = await fovea(name, '--help')
    assert.equal(help.code, 0)
    assert.match(help.out, new RegExp(`^usage: fovea ${name}`, 'm'))
    assert.match(help.out, new RegExp(`^examples:\n  fovea ${name}`, 'm'))
    assert.deepEqual(await fovea('help', name), help)
  }
  assert.deepEqual((await fovea()).code, 2)
})

test('the help of run names every option once', async () => {
  const { out } = await fovea('run', '--help')
  const options = [...out.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, name]) => name)
  assert.deepEqual(options, ['--config', '--set', '--log-format', '--log-level', '--record'])
})

test('components lists kind, type, stability and columns of what is installed', async () => {
  const { code, out } = await fovea('components', '--config', 'agent.yaml', '--format', 'json')
  assert.equal(code, 0)
  const all = JSON.parse(out) as readonly Readonly<Record<string, unknown>>[]
  const of = (type: string) => all.find(component => component.type === type)
  const source = join(folder, 'plugin.ts')
  const summary = 'Part of a test'
  assert.deepEqual(of('ticks'), {
    kind: 'receiver',
    type: 'ticks',
    stability: 'alpha',
    source,
    summary,
    emits: { ticks: { time_us: 'number', source_address: 'address' } },
  })
  assert.deepEqual(of('sites'), {
    kind: 'processor',
    type: 'sites',
    stability: 'beta',
    source,
    summary,
    needs: [['source_address']],
    adds: ['site'],
  })
  assert.deepEqual(of('lines'), {
    kind: 'exporter',
    type: 'lines',
    stability: 'stable',
    source,
    summary,
    needs: [['site']],
  })
  const text = await fovea('components', '--config', 'agent.yaml')
  assert.match(
    text.out,
    /^processor sites {2}beta .*\n {2}Part of a test\n {2}needs source_address\n {2}adds site$/m,
  )
})

test('the schema covers built-in components and the plugins of a configuration', async () => {
  const { out } = await fovea('schema', '--config', 'agent.yaml')
  const schema = JSON.parse(out)
  const receivers = Object.keys(schema.properties.receivers.patternProperties)
  assert.ok(receivers.includes('^ticks(/.+)?$') && receivers.includes('^replay(/.+)?$'))
  const without = JSON.parse((await fovea('schema')).out)
  assert.equal('^ticks(/.+)?$' in without.properties.receivers.patternProperties, false)
})

test('the dictionary of columns is printed with kind, unit and attribute', async () => {
  const { out } = await fovea('schema', 'columns')
  assert.match(out, /^source_address +address +\S.*\(source\.address\)$/m)
  const json = JSON.parse((await fovea('schema', 'columns', '--format', 'json')).out)
  assert.equal(json.source_address.kind, 'address')
})

test('a bug is the only thing that shows a stack', async () => {
  const broken = PLUGIN.replace(
    'if (!columns.source_address)',
    'columns.x.y; if (!columns.source_address)',
  )
  writeFileSync(join(folder, 'broken.ts'), broken)
  writeFileSync(join(folder, 'broken.yaml'), AGENT.replace('plugin.ts', 'broken.ts'))
  const { code, err } = await fovea('check', '--config', 'broken.yaml')
  assert.equal(code, 1)
  assert.match(
    err,
    /^this is a bug in fovea or in a plugin, please report it:\nTypeError: .*\n +at /,
  )
})

test('the file runs as a process: output, errors and code arrive', () => {
  const file = join(root(), 'core/main.ts')
  const text = execFileSync(process.execPath, [file, 'version'], { encoding: 'utf8' })
  const { versions, platform, arch } = process
  assert.equal(text, `fovea ${version()} node ${versions.node} ${platform}-${arch}\n`)
  const wrong = spawnSync(process.execPath, [file, 'check', '--config', 'wrong.yaml'], {
    cwd: folder,
    encoding: 'utf8',
  })
  assert.equal(wrong.status, 2)
  assert.equal(wrong.stdout, '')
  assert.match(wrong.stderr, /^wrong\.yaml:2:23 .*\n$/)
})
