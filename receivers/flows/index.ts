/**
 * Who talks to whom and how much: every packet at every watched link, counted in the kernel.
 *
 * The program keeps one entry for each direction of each flow at each link. This file opens it and
 * joins the parts: `attachments.ts` follows the links, `reader.ts` turns the table into rows.
 */
import { defineReceiver } from '../../core/index.ts'
import { openKernel } from '../../native/index.ts'
import { LinkAttachments } from './attachments.ts'
import { OtherRows } from './others.ts'
import { FlowReader } from './reader.ts'
import { flowColumns } from './rows.ts'

/** enum bpf_func_id: BPF_FUNC_ktime_get_coarse_ns */
const helperCoarseClock = 160

export default defineReceiver({
  summary: 'Packets and bytes of every flow at pod links and uplinks, counted in the kernel',
  stability: 'beta',
  config: {
    interfaces: {
      type: 'list',
      items: { type: 'string', description: 'auto, or a glob of link names.' },
      default: ['auto'],
      description:
        'auto (pod links, taps, the lowest device of each default route) or globs of links.',
    },
    exclude_interfaces: {
      type: 'list',
      items: { type: 'string', description: 'A glob of link names.' },
      default: [],
      description: 'Globs of links that are never observed.',
    },
    interval: {
      type: 'duration',
      default: '1s',
      minimum: '100ms',
      description: 'Time between two reads of the table.',
    },
    idle_timeout: {
      type: 'duration',
      default: '60s',
      minimum: '1s',
      description: 'A flow without a packet for this long is over.',
    },
    ended_timeout: {
      type: 'duration',
      default: '5s',
      minimum: '0s',
      description: 'A flow that saw FIN or RST is over after this long without a packet.',
    },
    table_size: {
      type: 'integer',
      default: 65_536,
      minimum: 1024,
      maximum: 16_777_216,
      description: 'Flow directions held at once, about 200 bytes of kernel memory each.',
    },
  },
  emits: flowColumns,

  async open(config, host) {
    const kernel = openKernel(host)
    try {
      const object = kernel.openObject('flows.bpf.o', {
        settings: { has_coarse_clock: kernel.hasHelper('tc', helperCoarseClock) ? 1 : 0 },
        mapSizes: { flow_table: config.table_size },
      })
      const patterns = { interfaces: config.interfaces, exclude: config.exclude_interfaces }
      const links = new LinkAttachments(object, kernel.links(), host, patterns)
      await links.start()
      const others = new OtherRows({ host, object, nameOf: ifindex => links.nameOf(ifindex) })
      return new FlowReader(kernel, object.map('flow_table'), links, others, config)
    } catch (error) {
      kernel.close()
      throw error
    }
  },
})
