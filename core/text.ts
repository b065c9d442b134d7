/**
 * Long text for a terminal: broken between words, continued under its own beginning.
 */

const WIDTH = 100

/**
 * Breaks `text` so that lines fit into 100 columns, the first one beginning at column `indent`.
 * Only after commas and semicolons where it has any, else between words.
 */
export function wrapped(text: string, indent: number): string {
  const room = Math.max(30, WIDTH - indent)
  const parts = text.split(/[,;] /.test(text) ? /(?<=[,;]) / : ' ')
  const lines: string[] = []
  let line = ''
  for (const part of parts) {
    if (line !== '' && line.length + 1 + part.length > room) {
      lines.push(line)
      line = part
    } else line = line === '' ? part : `${line} ${part}`
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`)
}
