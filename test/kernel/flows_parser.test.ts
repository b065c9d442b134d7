/**
 * Crafted packets through the flow programs by TEST_RUN, each beside the row it must become.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type BpfMap, type Field, openKernel } from '../../native/index.ts'
import { formatAddress } from '../../processors/address.ts'
import {
  flowCount,
  flowKey,
  frameCounter,
  otherCount,
  otherKey,
} from '../../receivers/flows/flows.generated.ts'
import { flowsFolder } from '../harness/flow_receiver.ts'
import { inPrivateNetwork } from '../harness/netns.ts'
import { type Bytes, ipv4, type SkbFacts, skbContext, tcp, udp } from '../harness/packets.ts'
import { refused, sightings, trains } from './flow_odd_packets.ts'
import {
  ACK,
  FIN,
  four,
  headers,
  PSH,
  type Row,
  RST,
  SYN,
  TCP,
  transports,
  UDP,
} from './flow_packets.ts'

function decode(
  fields: Readonly<Record<string, Field>>,
  bytes: Bytes,
  into: Record<string, number | string>,
) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (const [name, { offset, type, length }] of Object.entries(fields)) {
    if (name === 'pad') continue
    if (length === 16) into[name] = formatAddress(bytes, offset)
    else if (type === 'u8') into[name] = view.getUint8(offset)
    else if (type === 'u16') into[name] = view.getUint16(offset, true)
    else if (type === 'u32') into[name] = view.getUint32(offset, true)
    else into[name] = Number(view.getBigUint64(offset, true))
  }
}

interface Layouts {
  readonly key: { readonly size: number; readonly fields: Readonly<Record<string, Field>> }
  readonly value: { readonly size: number; readonly fields: Readonly<Record<string, Field>> }
}

/** All entries of a map, which is empty afterwards. */
function takeAll(map: BpfMap, { key, value }: Layouts): Row[] {
  const [keys, values] = [new Uint8Array(64 * key.size), new Uint8Array(64 * value.size)]
  const count = map.readBatch({ done: false, position: null }, keys, values)
  return Array.from({ length: count }, (_, at) => {
    const row: Record<string, number | string> = {}
    const own = keys.subarray(at * key.size, (at + 1) * key.size)
    decode(key.fields, own, row)
    decode(value.fields, values.subarray(at * value.size, (at + 1) * value.size), row)
    map.delete(own)
    return row
  })
}

if (await inPrivateNetwork(import.meta.url)) {
  const kernel = openKernel({ id: 'flows', asset: name => `${flowsFolder}/${name}` })
  after(() => kernel.close())
  const object = kernel.openObject('flows.bpf.o', { settings: { has_coarse_clock: 1 } })
  const flowTable = object.map('flow_table')
  const otherTable = object.map('other_table')
  const frames = object.map('frame_counters')
  object
    .map('watched_links')
    .update(new Uint8Array(Uint32Array.of(77).buffer), new Uint8Array(BigUint64Array.of(1n).buffer))

  const send = (packet: Bytes, program = 'flows_from_network', skb: SkbFacts = {}) => {
    const input = { data: packet, context: skbContext(skb) }
    assert.equal(object.testRun(program, input).returnValue | 0, -1, 'never decides')
  }
  const flowsNow = () => takeAll(flowTable, { key: flowKey, value: flowCount })
  const othersNow = () => takeAll(otherTable, { key: otherKey, value: otherCount })
  const framesNotIp = () => {
    const value = new Uint8Array(frames.valueSize)
    frames.lookup(new Uint8Array(Uint32Array.of(frameCounter.FRAMES_NOT_IP).buffer), value)
    const words = new BigUint64Array(value.buffer)
    return words.filter((_, at) => at % 2 === 0).reduce((a, b) => a + Number(b), 0)
  }

  for (const one of [...transports, ...headers, ...trains, ...refused, ...sightings]) {
    test(one.name, () => {
      const before = framesNotIp()
      send(one.packet, one.program, one.skb)
      const found = { flows: flowsNow(), others: othersNow(), frames: framesNotIp() - before }
      const [wanted, rows] = one.flow ? [one.flow, found.flows] : [one.other ?? {}, found.others]
      const shown = rows.map(row =>
        Object.fromEntries(Object.keys(wanted).map(name => [name, row[name]])),
      )
      assert.deepEqual(
        { shown, flows: found.flows.length, others: found.others.length, frames: found.frames },
        {
          shown: one.frame ? [] : [wanted],
          flows: one.flow ? 1 : 0,
          others: one.other ? 1 : 0,
          frames: one.frame ? 1 : 0,
        },
      )
    })
  }

  test('a handshake is timed from the first SYN to the first ACK', () => {
    const there = (flags: number) => send(four(ipv4({ protocol: TCP }, tcp({ flags, payload: 0 }))))
    there(SYN)
    const first = process.hrtime.bigint()
    there(SYN)
    while (process.hrtime.bigint() - first < 3_000_000n);
    there(ACK)
    const shortest = Number(process.hrtime.bigint() - first) / 1000
    there(ACK | PSH)
    const [row] = flowsNow()
    assert.equal(row!.syn, 2)
    assert.ok(Number(row!.handshake_us) >= 3000, `${row!.handshake_us} us`)
    assert.ok(Number(row!.handshake_us) <= shortest + 100_000)
    assert.equal(row!.awaits_ack, 0)
  })

  test('a SYN after FIN is a new flow in the same entry, its counters go on', () => {
    const there = (flags: number) => send(four(ipv4({ protocol: TCP }, tcp({ flags, payload: 0 }))))
    for (const flags of [SYN, ACK, FIN | ACK, SYN]) there(flags)
    const [row] = flowsNow()
    assert.deepEqual(
      [row!.packets, row!.flow_starts, row!.syn, row!.fin, row!.tcp_flags, row!.handshake_us],
      [4, 2, 2, 1, SYN, 0],
    )
    assert.ok(Number(row!.first_ns) > 0 && Number(row!.syn_ns) >= Number(row!.first_ns))
  })

  test('an RST ends both directions: a SYN behind it is a new flow', () => {
    const [a, b] = [
      [10, 0, 0, 1],
      [10, 0, 0, 2],
    ]
    const there = (flags: number) =>
      send(four(ipv4({ protocol: TCP, source: a, destination: b }, tcp({ flags, payload: 0 }))))
    const back = (flags: number) => {
      const answer = tcp({ flags, payload: 0, from: 2000, to: 1000 })
      send(four(ipv4({ protocol: TCP, source: b, destination: a }, answer)), 'flows_to_network')
    }
    for (let round = 0; round < 3; round++) {
      there(SYN)
      there(SYN)
      back(RST | ACK)
    }
    const rows = flowsNow().sort((x, y) => Number(x.direction) - Number(y.direction))
    assert.deepEqual(
      rows.map(row => [row.direction, row.packets, row.flow_starts, row.syn, row.rst]),
      [
        [1, 6, 3, 6, 0],
        [2, 3, 0, 0, 3],
      ],
    )
  })

  test('the answer to a datagram is a reply, whichever of the two was forwarded', () => {
    const [a, b] = [
      [10, 0, 0, 1],
      [10, 0, 0, 2],
    ]
    const packet = (source: number[], destination: number[], from: number, to: number) =>
      four(ipv4({ protocol: UDP, source, destination }, udp(from, to, 10)))
    send(packet(a, b, 5, 6), 'flows_to_endpoint', { ingressIfindex: 77 })
    send(packet(b, a, 6, 5), 'flows_from_endpoint')
    send(packet(b, a, 16, 15), 'flows_from_endpoint')
    send(packet(a, b, 15, 16), 'flows_to_endpoint', { ingressIfindex: 77 })
    const initiators = flowsNow().map(row => [row.source_port, row.initiator])
    assert.deepEqual(
      initiators.sort((x, y) => Number(x[0]) - Number(y[0])),
      [
        [5, 1],
        [6, 2],
        [15, 2],
        [16, 1],
      ],
    )
  })
}
