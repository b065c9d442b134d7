/**
 * `fovea version`: which Fovea, on which Node and machine. What a bug report should begin with.
 */
import { defineCommand } from '../command.ts'
import { EXIT } from '../errors.ts'
import { version } from '../root.ts'

export default defineCommand({
  name: 'version',
  summary: 'Prints the version of Fovea, of Node and of the machine',
  options: {},
  examples: ['fovea version'],
  async run(_values, _operands, io) {
    io.out(`fovea ${version()} node ${process.versions.node} ${process.platform}-${process.arch}\n`)
    return EXIT.ok
  },
})
