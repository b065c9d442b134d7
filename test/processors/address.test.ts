/**
 * Addresses and networks against Node's own parser and writer of addresses.
 */
import assert from 'node:assert/strict'
import { BlockList, isIP } from 'node:net'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatAddress, parseAddress, parseNetwork } from '../../processors/address.ts'

describe('addresses', () => {
  test('IPv4 is mapped to ::ffff:0:0/96 and written dotted', () => {
    const bytes = parseAddress('10.1.2.3')
    assert.deepEqual([...(bytes ?? [])], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 2, 3])
    assert.equal(formatAddress(bytes ?? new Uint8Array(16)), '10.1.2.3')
  })

  test('IPv6 is written as the URL standard writes it, which is RFC 5952', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), groups => {
        // The URL standard writes mapped IPv4 in hexadecimal; ours is dotted.
        fc.pre(groups.slice(0, 5).some(x => x !== 0) || groups[5] !== 0xffff)
        const text = groups.map(x => x.toString(16)).join(':')
        const expected = new URL(`http://[${text}]/`).hostname.slice(1, -1)
        const bytes = parseAddress(text)
        assert.ok(bytes)
        assert.equal(formatAddress(bytes), expected)
        assert.deepEqual(parseAddress(expected), bytes)
      }),
    )
  })

  test('what is no address for Node is none here, and the reverse', () => {
    const samples = [
      ...['', ':', '::', '::1', '1::', ':1', '1:', '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7', '1:::2'],
      ...['1::2::3', '1:2:3:4:5:6:7::', '::1.2.3.4', '1.2.3.4::', '1:2:3:4:5:6:1.2.3.4', '12345::'],
      ...['1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.4 ', 'g::', 'fe80::1', '1:2'],
    ]
    for (const text of samples) assert.equal(parseAddress(text) !== null, isIP(text) !== 0, text)
  })

  test('a network holds the addresses that BlockList holds', () => {
    const networks: [string, number, 'ipv4' | 'ipv6'][] = [
      ['10.0.0.0', 8, 'ipv4'],
      ['192.168.5.64', 27, 'ipv4'],
      ['fd00::', 7, 'ipv6'],
      ['2001:db8:1:2::', 61, 'ipv6'],
    ]
    for (const [host, bits, family] of networks) {
      const list = new BlockList()
      list.addSubnet(host, bits, family)
      const network = parseNetwork(`${host}/${bits}`)
      assert.ok(network)
      const { words, mask } = network
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 128 }), fc.nat(255), (bit, noise) => {
          const bytes = parseAddress(host)
          assert.ok(bytes)
          if (bit < 128) bytes[bit >> 3] ^= 0x80 >> (bit & 7)
          bytes[15] ^= noise
          const cells = new Uint32Array(bytes.buffer)
          const inside = cells.every((cell, i) => ((cell & mask[i]) ^ words[i]) >>> 0 === 0)
          const text = formatAddress(bytes)
          const kind = isIP(text) === 4 ? 'ipv4' : 'ipv6'
          assert.equal(inside, kind === family && list.check(text, kind), text)
        }),
      )
    }
  })

  test('a mask that is too long or no number is refused', () => {
    for (const text of ['10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '10.0.0.0/8/8', 'x/8']) {
      assert.equal(parseNetwork(text), null, text)
    }
  })
})
