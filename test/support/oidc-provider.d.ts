/**
 * The part of oidc-provider (which ships no types) that support/issuer.ts uses. In the handlers it
 * is a Koa context.
 */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export interface ProviderContext {
    readonly req: IncomingMessage
    readonly oidc: { readonly client: unknown; readonly params: Record<string, string | undefined> }
    body: unknown
  }

  export interface ResourceServerInfo {
    scope: string
    audience: string
    accessTokenFormat: 'jwt' | 'opaque'
    accessTokenTTL: number
    jwt: { sign: { alg: string; kid: string } }
  }

  export interface IssuedToken {
    readonly expiration: number
    resourceServer: unknown
    save(): Promise<string>
  }

  export class Provider {
    constructor(issuer: string, configuration: Record<string, unknown>)
    readonly AccessToken: new (
      fields: Record<string, unknown>,
    ) => IssuedToken
    readonly ResourceServer: new (
      identifier: string,
      info: ResourceServerInfo,
    ) => unknown
    callback(): (request: IncomingMessage, response: ServerResponse) => void
    on(event: string, listener: (ctx: ProviderContext, error: Error) => void): this
    registerGrantType(
      name: string,
      handler: (ctx: ProviderContext) => Promise<void>,
      params: readonly string[],
    ): void
  }
}
