import type { TestGateway } from '../support/gateway.ts'
import { WireClient } from '../support/wire.ts'

/** A session through a gateway that shows its bytes, of whoever is called agent there. */
export async function agentWire(gateway: TestGateway): Promise<WireClient> {
  return WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'agent',
    password: await gateway.token(),
    database: gateway.connection,
  })
}
