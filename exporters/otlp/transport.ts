/**
 * What carries a request to the server. There are two: `grpc.ts` and `http.ts`, each loaded only
 * when used.
 */
export type Signal = 'metrics' | 'logs'

export interface Transport {
  /**
   * Sends one request, compressed if so configured, and resolves with the bytes of the response.
   * The bytes of `message` may be used again once this settled.
   * @throws RetryableError, PermanentError; `abort` cancels and makes it a RetryableError.
   */
  send(signal: Signal, message: Buffer, abort: AbortSignal): Promise<Buffer>
  /** Safe twice. Cancels what is under way. */
  close(): void
}

export interface TransportOptions {
  readonly compression: 'gzip' | 'zstd' | 'none'
  readonly level: number | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly userAgent: string
}
