/**
 * The hash table and the text ids against Map, through random lives of keys.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { KeyTable } from '../../processors/key_table.ts'
import { TextIds } from '../../processors/texts.ts'

describe('key table', () => {
  test('finds what a Map finds after any order of additions and removals, colliding or not', () => {
    const step = fc.record({ add: fc.boolean(), key: fc.nat(300), hash: fc.nat(7) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), steps => {
        const table = new KeyTable(2)
        const model = new Map<number, number>()
        const words = new Uint32Array(4)
        // Few hashes, so that runs are long and wrap around the end.
        const hashOf = (key: number) => (0xfffffff0 + (key % 24)) >>> 0
        for (const { add, key } of steps) {
          words.set([key, key * 7], 2)
          const found = table.find(words, 2, hashOf(key))
          assert.equal(found, model.get(key) ?? 0)
          if (add && found === 0) {
            const entry = table.add(words, 2, hashOf(key))
            assert.ok(![...model.values()].includes(entry), 'an entry is given out once')
            assert.ok(entry > 0 && entry < table.capacity)
            model.set(key, entry)
          } else if (!add && found !== 0) {
            table.remove(found)
            model.delete(key)
          }
          assert.equal(table.size, model.size)
        }
        for (const [key, entry] of model) {
          words.set([key, key * 7], 2)
          assert.equal(table.find(words, 2, hashOf(key)), entry)
        }
      }),
    )
  })

  test('an unlinked entry is not found, and its number stays taken until it is released', () => {
    const table = new KeyTable(1)
    const words = Uint32Array.of(5)
    const entry = table.add(words, 0, 1)
    table.unlink(entry)
    assert.equal(table.find(words, 0, 1), 0)
    assert.notEqual(table.add(words, 0, 1), entry)
    table.release(entry)
    assert.equal(table.reserve(), entry)
  })
})

describe('text ids', () => {
  test('a text that is kept has one id for ever, others are forgotten with their batch', () => {
    const texts = new TextIds()
    texts.begin(['', 'a', 'b'])
    const a = texts.resolve(1) - 1
    const b = texts.resolve(2) - 1
    texts.keep(a)
    texts.end()
    texts.begin(['', 'c', 'a'])
    assert.equal(texts.resolve(1) - 1, b, 'the id of b is free again')
    assert.equal(texts.resolve(2) - 1, a)
    texts.end()
    assert.equal(texts.get(a), 'a')
    texts.drop(a)
    texts.begin(['', 'd', 'e'])
    assert.deepEqual([texts.resolve(1), texts.resolve(2)].sort(), [a + 1, b + 1].sort())
  })

  test('the empty text is always id 0', () => {
    const texts = new TextIds()
    texts.begin(['', 'x'])
    assert.equal(texts.resolve(0) - 1, 0)
    texts.end()
    assert.equal(texts.get(0), '')
  })
})
