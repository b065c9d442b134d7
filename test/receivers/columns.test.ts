/**
 * The dictionary of columns, and that what flows emits is in it with the same kinds.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { columnDictionary, pickColumns } from '../../receivers/columns.ts'
import { flowColumns } from '../../receivers/flows/rows.ts'

test('every column is lower_snake_case and says in one line what it means', () => {
  for (const [name, { description }] of Object.entries(columnDictionary)) {
    assert.match(name, /^[a-z][a-z0-9_]*$/)
    assert.match(description, /^[^\n]{3,110}$/, name)
    assert.doesNotMatch(description, /\.$/, name)
  }
})

test('numbers whose names end in a unit have that unit', () => {
  const units = { us: 'us', s: 's' }
  for (const [name, facts] of Object.entries(columnDictionary)) {
    const unit = units[/_(us|s)$/.exec(name)?.[1] as 'us']
    if (unit) assert.equal((facts as { unit?: string }).unit, unit, name)
  }
})

test('what flows emits has the kinds of the dictionary, in the order that its README gives', () => {
  const names = Object.keys(flowColumns) as (keyof typeof flowColumns)[]
  assert.deepEqual(pickColumns(names), flowColumns)
  assert.deepEqual(names.slice(0, 4), [
    'time_us',
    'start_us',
    'source_address',
    'destination_address',
  ])
  assert.equal(names.length, 30)
})
