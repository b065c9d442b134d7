/**
 * TLS by both protocols: who is trusted, who is not, certificates in both directions, and options
 * that cannot be meant.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, type TestContext, test } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { ConfigError, RetryableError } from '../../../core/errors.ts'
import { type Certificates, makeCertificates } from '../certificates.ts'
import { SeriesFixture } from '../series_fixture.ts'
import { type Given, opened, tlsOf } from './opened.ts'
import { grpcServer, httpServer, type TestServer } from './servers.ts'

let files: Certificates
before(() => {
  files = makeCertificates()
})
after(() => files.remove())

interface Server {
  readonly asksClient?: boolean
  /** Shows a certificate that does not name its address. */
  readonly named?: boolean
}

function serverOf(protocol: 'grpc' | 'http', options: Server): Promise<TestServer<unknown>> {
  const { asksClient = false, named } = options
  const own = named ? [files.namedCert, files.namedKey] : [files.serverCert, files.serverKey]
  const [ca, cert, key] = [files.ca, ...own].map(file => readFileSync(file))
  if (protocol === 'http') {
    return httpServer({ cert, key, ca, requestCert: asksClient, rejectUnauthorized: asksClient })
  }
  const pairs = [{ cert_chain: cert, private_key: key }]
  return grpcServer(grpc.ServerCredentials.createSsl(ca, pairs, asksClient))
}

async function sends(
  test: TestContext,
  protocol: 'grpc' | 'http',
  tls: Given['tls'],
  options: Server = {},
) {
  const server = await serverOf(protocol, options)
  test.after(server.close)
  const fixture = new SeriesFixture([
    { name: 'm', description: '', unit: 's', type: 'gauge', labels: [] },
  ])
  fixture.born(0, 0, [])
  const exporter = await opened(test, {
    protocol,
    endpoint: `https://127.0.0.1:${server.port}`,
    tls,
  })
  await exporter.write(fixture.batch([{ id: 0, values: [1] }]), fixture.view)
  return server.received.length
}

for (const protocol of ['grpc', 'http'] as const) {
  describe(protocol, () => {
    test('a server whose authority is in ca_file is trusted', async t => {
      assert.equal(await sends(t, protocol, tlsOf({ ca_file: files.ca })), 1)
    })

    test('a server of an unknown authority is not trusted', async t => {
      await assert.rejects(sends(t, protocol, tlsOf({})), RetryableError)
    })

    test('a certificate that does not name the address is not trusted', async t => {
      const tls = tlsOf({ ca_file: files.ca })
      await assert.rejects(sends(t, protocol, tls, { named: true }), (error: unknown) => {
        assert.ok(error instanceof RetryableError)
        assert.match(error.message, /127\.0\.0\.1 is not in the cert's list/)
        return true
      })
    })

    test('insecure_skip_verify takes any server', async t => {
      assert.equal(await sends(t, protocol, tlsOf({ insecure_skip_verify: true })), 1)
    })

    test('server_name_override is the name that the certificate must carry', async t => {
      const right = tlsOf({ ca_file: files.ca, server_name_override: 'fovea.test' })
      assert.equal(await sends(t, protocol, right), 1)
      const wrong = tlsOf({ ca_file: files.ca, server_name_override: 'other.test' })
      await assert.rejects(sends(t, protocol, wrong), RetryableError)
    })

    test('a server that asks for a certificate gets ours', async t => {
      const { ca, clientCert, clientKey } = files
      const own = tlsOf({ ca_file: ca, cert_file: clientCert, key_file: clientKey })
      assert.equal(await sends(t, protocol, own, { asksClient: true }), 1)
      const without = sends(t, protocol, tlsOf({ ca_file: ca }), { asksClient: true })
      await assert.rejects(without, RetryableError)
    })
  })
}

test('files that are missing, no PEM or half of a pair are config errors', async t => {
  const mistake = async (given: Given['tls'] & object) => {
    const endpoint = 'https://127.0.0.1:1'
    const error = await opened(t, { endpoint, tls: given }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof ConfigError)
    return error.message
  }
  assert.equal(
    await mistake(tlsOf({ ca_file: '/nowhere/ca.pem' })!),
    'tls.ca_file: cannot read /nowhere/ca.pem: ENOENT',
  )
  assert.equal(
    await mistake(tlsOf({ cert_file: files.clientCert })!),
    'tls.cert_file: needs tls.key_file beside it',
  )
  assert.equal(
    await mistake(tlsOf({ ca_file: files.ca.replace('ca.pem', 'server.ext') })!),
    `tls.ca_file: ${files.ca.replace('ca.pem', 'server.ext')} is not a PEM file`,
  )
})
