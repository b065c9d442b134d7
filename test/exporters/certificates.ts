/**
 * Certificates for TLS tests, made by openssl in a folder that the test removes: an authority, a
 * server's and a client's certificate signed by it.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificates {
  readonly ca: string
  readonly serverCert: string
  readonly serverKey: string
  /** For the name `fovea.test` only. */
  readonly namedCert: string
  readonly namedKey: string
  readonly clientCert: string
  readonly clientKey: string
  remove(): void
}

/** The server's certificate is for the name `fovea.test` and for 127.0.0.1. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-tls-'))
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test ca')
  const signed = (name: string, subject: string, extension: string) => {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject)
    writeFileSync(file(`${name}.ext`), extension)
    const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial']
    const output = ['-out', `${name}.pem`, '-extfile', `${name}.ext`, '-days', '2']
    openssl('x509', '-req', '-in', `${name}.csr`, ...authority, ...output)
  }
  signed('server', '/CN=server', 'subjectAltName=DNS:fovea.test,IP:127.0.0.1')
  signed('named', '/CN=named', 'subjectAltName=DNS:fovea.test')
  signed('client', '/CN=client', 'extendedKeyUsage=clientAuth')
  return {
    ca: file('ca.pem'),
    serverCert: file('server.pem'),
    serverKey: file('server.key'),
    namedCert: file('named.pem'),
    namedKey: file('named.key'),
    clientCert: file('client.pem'),
    clientKey: file('client.key'),
    remove: () => rmSync(folder, { recursive: true }),
  }
}
