/**
 * What every OTLP request has around its payload: one resource, one scope. Both are encoded once.
 */
import type { Host } from '../../core/index.ts'
import { ProtoWriter, stringAttribute } from './proto_writer.ts'

/** Room that the end of a request needs at most. */
export const ENVELOPE_END = 64

export class Envelope {
  readonly #head: Buffer
  readonly #scope: Buffer
  #resource = 0
  #scoped = 0

  constructor(host: Host, extra: Readonly<Record<string, string>>) {
    const attributes = {
      'service.name': 'fovea',
      'service.version': host.agent.version,
      'service.instance.id': host.agent.instanceId,
      'host.name': host.agent.hostName,
      ...extra,
    }
    const writer = new ProtoWriter(512)
    const resource = writer.open(0x0a)
    for (const [key, value] of Object.entries(attributes)) {
      stringAttribute(writer, 0x0a, key, value)
    }
    writer.close(resource)
    this.#head = writer.copy()
    writer.at = 0
    const scope = writer.open(0x0a)
    writer.string(0x0a, 'fovea')
    writer.string(0x12, host.agent.version)
    writer.close(scope)
    this.#scope = writer.copy()
  }

  /**
   * Begins a request: `ResourceMetrics` or `ResourceLogs`, then its one scope. The fields have
   * one number in both.
   */
  begin(writer: ProtoWriter): void {
    writer.at = 0
    writer.room(this.#head.length + this.#scope.length + ENVELOPE_END)
    this.#resource = writer.open(0x0a)
    writer.raw(this.#head)
    this.#scoped = writer.open(0x12)
    writer.raw(this.#scope)
  }

  end(writer: ProtoWriter): void {
    writer.close(this.#scoped)
    writer.close(this.#resource)
  }
}
