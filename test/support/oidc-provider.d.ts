/**
 * The part of oidc-provider (which ships no types) that support/issuer.ts uses. In the handlers it
 * is a Koa context.
 */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export interface ProviderContext {
    readonly req: IncomingMessage
    readonly oidc: {
      readonly provider: Provider
      readonly client: { readonly clientId: string }
      readonly session: { readonly accountId: string | undefined }
      readonly params: Record<string, string | undefined>
    }
    body: unknown
  }

  export interface Grant {
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    save(): Promise<string>
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
    readonly Grant: new (of: {
      clientId: string
      accountId: string | undefined
    }) => Grant
    interactionDetails(
      request: IncomingMessage,
      response: ServerResponse,
    ): Promise<{ readonly params: Record<string, unknown> }>
    interactionFinished(
      request: IncomingMessage,
      response: ServerResponse,
      result: Record<string, unknown>,
    ): Promise<void>
    callback(): (request: IncomingMessage, response: ServerResponse) => void
    on(event: string, listener: (ctx: ProviderContext, error: Error) => void): this
    registerGrantType(
      name: string,
      handler: (ctx: ProviderContext) => Promise<void>,
      params: readonly string[],
    ): void
  }
}
