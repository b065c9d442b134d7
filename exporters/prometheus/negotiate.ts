/**
 * Which of the two text formats a scraper wants, and whether it takes gzip: the `q` rules of RFC
 * 9110 sections 12.5.1 and 12.5.3. Nobody is refused: who asks for neither format gets the
 * classic text.
 */
import type { Format } from './families.ts'

export const CONTENT_TYPE: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

interface Choice {
  readonly name: string
  readonly parameters: ReadonlyMap<string, string>
  readonly q: number
}

export function chooseFormat(accept: string | undefined): Format {
  let openmetrics = 0
  let text = 0
  for (const { name, parameters, q } of choices(accept)) {
    const version = parameters.get('version')
    if (name === 'application/openmetrics-text') {
      if (version === undefined || version === '1.0.0') openmetrics = Math.max(openmetrics, q)
    } else if (name === 'text/plain') {
      if (version === undefined || version === '0.0.4') text = Math.max(text, q)
    } else if (name === 'text/*' || name === '*/*') {
      text = Math.max(text, q)
    }
  }
  return openmetrics > 0 && openmetrics >= text ? 'openmetrics' : 'text'
}

export function takesGzip(acceptEncoding: string | undefined): boolean {
  let gzip: number | undefined
  let any: number | undefined
  let identity: number | undefined
  for (const { name, q } of choices(acceptEncoding)) {
    if (name === 'gzip' || name === 'x-gzip') gzip = q
    else if (name === '*') any = q
    else if (name === 'identity') identity = q
  }
  const wish = gzip ?? any ?? 0
  return wish > 0 && wish >= (identity ?? 0)
}

function choices(header: string | undefined): Choice[] {
  return (header ?? '').split(',').flatMap(part => {
    const [name, ...rest] = part.split(';').map(piece => piece.trim().toLowerCase())
    if (!name) return []
    const parameters = new Map<string, string>()
    for (const piece of rest) {
      const at = piece.indexOf('=')
      if (at > 0) parameters.set(piece.slice(0, at).trim(), unquoted(piece.slice(at + 1).trim()))
    }
    const q = Number(parameters.get('q') ?? 1)
    return [{ name, parameters, q: q >= 0 && q <= 1 ? q : 0 }]
  })
}

function unquoted(value: string): string {
  return value.replace(/^"(.*)"$/, '$1')
}
