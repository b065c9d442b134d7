/**
 * Comparisons of address columns with literals: four 32-bit words against a network and its mask.
 * Words whose mask is zero cost nothing, so an IPv4 network is three comparisons and a masked one.
 */
import { type Network, parseAddress, parseNetwork } from './address.ts'
import type { Scope } from './expression.ts'
import type { Kernel } from './kernel.ts'
import type { Tree } from './parse.ts'

/** Code that is true where the column's address lies in one of the networks. */
export function addressIn(kernel: Kernel, column: string, networks: readonly Network[]): string {
  const words = kernel.words(column)
  const inOne = ({ words: network, mask }: Network) => {
    const parts: string[] = []
    // From the last word: it tells most addresses apart.
    for (let i = 3; i >= 0; i--) {
      if (mask[i] === 0) continue
      const word = `${words}[4 * row + ${i}]`
      const masked = mask[i] === 0xffffffff ? word : `((${word} & ${mask[i]}) >>> 0)`
      parts.push(`${masked} === ${network[i]}`)
    }
    return parts.length === 0 ? 'true' : `(${parts.join(' && ')})`
  }
  return networks.length === 0 ? 'false' : `(${networks.map(inOne).join(' || ')})`
}

/**
 * A literal beside `==` or in a list of addresses. A network is refused where `in_network` says it
 * better.
 */
export function addressLiteral(scope: Scope, at: Tree, text: string | undefined): Network {
  const network = text === undefined ? null : parseNetwork(text)
  if (!network || text === undefined) {
    throw scope.fail(at, 'an address is compared with an address in quotes: "10.1.2.3"')
  }
  if (!parseAddress(text)) {
    throw scope.fail(at, `${text} is a network: write in_network(column, "${text}")`)
  }
  return network
}

export function networkLiteral(scope: Scope, at: Tree, text: string | undefined): Network {
  const network = text === undefined ? null : parseNetwork(text)
  if (network) return network
  throw scope.fail(at, 'a network in quotes is needed: "10.0.0.0/8" or "fd00::/8"')
}
