/**
 * In which site of ours is each end? Reads `network,site` lines from a CSV file, again whenever it
 * changes, and adds `source_site` and `destination_site`. The smallest processor with a feed.
 */
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { defineProcessor, MissingColumns, widen } from 'fovea'

/** `10.1.0.0/16,berlin` -> first address, number of addresses, site. */
function parse(line) {
  const [, a, b, c, d, length, site] = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+),(.+)$/.exec(line) ?? []
  return { first: ((a * 256 + +b) * 256 + +c) * 256 + +d, size: 2 ** (32 - length), site }
}

export default defineProcessor({
  type: 'site_names',
  summary: 'Names the site of both ends, by IPv4 network, from a CSV file',
  stability: 'beta',
  config: { path: { type: 'string', required: true, description: 'Lines of `network,site`.' } },
  plan(tables) {
    const [[name, columns]] = Object.entries(tables) // Core asks table by table.
    const needed = ['source_address', 'destination_address']
    if (!needed.every(column => columns[column] === 'address')) throw new MissingColumns(needed)
    return { [name]: { ...columns, source_site: 'text', destination_site: 'text' } }
  },
  /** In the worker: pure and synchronous. What it knows of the world comes by `update`. */
  open() {
    let networks = []
    const siteOf = (bytes, row) => {
      const words = new DataView(bytes.buffer, bytes.byteOffset + 16 * row, 16)
      if (words.getBigUint64(0) !== 0n || words.getUint32(8) !== 0xffff) return '' // IPv6
      const address = words.getUint32(12)
      return networks.find(n => address >= n.first && address < n.first + n.size)?.site ?? ''
    }
    return {
      update(csv) {
        const lines = Buffer.from(csv).toString().split('\n').map(parse)
        networks = lines.filter(n => n.site).sort((a, b) => a.size - b.size)
      },
      process(batch) {
        const writer = widen(batch, { source_site: 'text', destination_site: 'text' })
        const { data } = writer
        for (let row = 0; row < batch.length; row++) {
          data.source_site[row] = writer.textId(siteOf(data.source_address, row))
          data.destination_site[row] = writer.textId(siteOf(data.destination_address, row))
        }
        return writer.done()
      },
    }
  },
  /** In the main thread: watches the file. */
  feed({ path }) {
    const snapshot = () => Uint8Array.from(readFileSync(path)).buffer
    const start = send => {
      watchFile(path, { interval: 500 }, () => send(snapshot()))
      send(snapshot())
    }
    return { start, snapshot, close: () => unwatchFile(path) }
  },
})
