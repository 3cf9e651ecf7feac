/**
 * People signing in at a real OpenID provider: the command line by the device flow and in a browser (PKCE), and the
 * approvals page in a real browser. Where there is no Chromium, its pages are walked by a client of our own.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Output } from '../../packages/cli/src/output.ts'
import { runCli } from '../../packages/cli/src/program.ts'
import { run } from '../../packages/cli/src/testing.ts'
import { hasChromium, openPage, type Page } from '../support/browser.ts'
import { controlAt } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type RunningIssuer, startIssuer } from '../support/issuer.ts'
import { freePort } from '../support/ports.ts'
import { walk } from '../support/sign-in.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { errorsOf, say, WireClient } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read], relations: ['public.*'] } }
  - name: writes
    who: everyone
    approve: { effects: [write], relations: [public.t] }
    approvers: { groups: [dba] }
    preview: { rows: 3 }
`
let database: TestDatabase
let issuer: RunningIssuer
let gateway: TestGateway
let url: string
const home = mkdtempSync(join(tmpdir(), 'sp-login-'))

beforeAll(async () => {
  database = await usePostgres()
  await database.sql("CREATE TABLE public.t (n int, x text DEFAULT '<img src=x onerror=alert(1)>')")
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  issuer = await startIssuer({
    audience: 'sallyport',
    users: [
      { sub: 'ann', groups: ['dba'] },
      { sub: 'bob', groups: [] },
    ],
    signIn: { page: { clientId: 'sallyport-page', redirectUri: `${url}/approvals` } },
  })
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    identity: {
      issuers: [
        {
          issuer: issuer.issuer,
          audience: 'sallyport',
          claims: { groups: 'groups', kind: 'kind' },
        },
      ],
    },
    config: {
      admin: { port, operators: { groups: ['dba'] } },
      approvals: { page: { url, 'client-id': 'sallyport-page' } },
    },
  })
})
afterAll(async () => {
  rmSync(home, { recursive: true, force: true })
  await gateway.close()
  await issuer[Symbol.asyncDispose]()
  await database.drop()
})

/** A command that says where to go, and goes on when somebody has been there. */
function started(args: readonly string[], of: string) {
  let said = ''
  let heard = (): void => undefined
  const stream = {
    write: (text: string) => {
      said += text
      heard()
    },
  }
  const env = { HOME: join(home, of), SALLYPORT_URL: url }
  const done = runCli(args, {
    out: new Output({ stdout: stream, stderr: stream, env }),
    env,
    stdin: Object.assign(
      (async function* () {
        yield* []
      })(),
      { isTTY: true },
    ),
    now: Date.now,
    stop: AbortSignal.timeout(60_000),
  })
  const shown = (pattern: RegExp): Promise<string> =>
    new Promise((resolve) => {
      heard = () => {
        const found = pattern.exec(said)?.[1]
        if (found !== undefined) resolve(found)
      }
      heard()
    })
  return { done, shown, env, said: () => said }
}

async function isLoggedIn(env: Record<string, string>, sub: string): Promise<void> {
  const file = join(env['HOME'] ?? '', '.config', 'sallyport', 'login.json')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const { token, refreshToken } = JSON.parse(readFileSync(file, 'utf8'))
  const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
  expect(claims).toMatchObject({ sub, aud: 'sallyport' })
  expect((await run(['approvals', 'list'], { env })).exit).toBe(0)
  // Nearly over: refreshed at the provider before it is used.
  const later = Date.now() + 890_000
  expect((await run(['sessions', 'ls'], { env, now: later })).exit).toBe(0)
  const next = JSON.parse(readFileSync(file, 'utf8'))
  expect(next.token).not.toBe(token)
  expect(typeof refreshToken).toBe('string')
  expect(statSync(file).mode & 0o777).toBe(0o600)
}

describe('the command line', () => {
  test('by the device flow, its page walked by hand', async () => {
    const { done, shown, env } = started(['login', '--url', url], 'device')
    await walk(await shown(/open (\S+)/), 'ann')
    expect(await done).toBe(0)
    await isLoggedIn(env, 'ann')
  })

  test('in a browser with PKCE, its pages walked by hand', async () => {
    const { done, shown, env } = started(['login', '--url', url, '--browser'], 'walked')
    await walk(await shown(/open (\S+)/), 'bob')
    expect(await done).toBe(0)
    await isLoggedIn(env, 'bob')
  })

  test.runIf(hasChromium)('in a browser with PKCE, in Chromium', async () => {
    const { done, shown, env } = started(['login', '--url', url, '--browser'], 'browser')
    await using page = await openPage()
    await page.goto(await shown(/open (\S+)/))
    await logIn(page, 'ann')
    await page.until('document.body.innerText.includes("You may close this page")')
    expect(await done).toBe(0)
    await isLoggedIn(env, 'ann')
  })

  test.runIf(spawnSync('psql', ['--version']).status === 0)(
    'and then psql needs no more',
    async () => {
      const { done, shown, env } = started(['login', '--url', url], 'psql')
      await walk(await shown(/open (\S+)/), 'ann')
      expect(await done).toBe(0)
      const cli = join(import.meta.dirname, '../../packages/cli/src/main.ts')
      const tls = ['--host', 'localhost', '--ca', gateway.caFile]
      const args = [cli, 'psql', gateway.connection, ...tls, '--', '-XAtc', 'SELECT 6 * 7']
      const { spawn } = await import('node:child_process')
      const child = spawn(process.execPath, args, { env: { ...process.env, ...env } })
      let out = ''
      child.stdout.on('data', (chunk) => {
        out += chunk
      })
      const code = await new Promise((resolve) => child.once('close', resolve))
      expect({ code, out }).toEqual({ code: 0, out: '42\n' })
    },
  )
})

describe('the approvals page', () => {
  test('lets nothing run but its own script, and nobody frame it', async () => {
    const answer = await fetch(`${url}/approvals/ap_1`)
    const policy = answer.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy).toContain(`connect-src 'self' ${issuer.issuer};`)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(await answer.text()).not.toMatch(/<script(?! type="module" src="\/approvals\/page\.js")/)
    expect(answer.headers.get('set-cookie')).toBeNull()
    const settings = await (await fetch(`${url}/approvals/settings.json`)).json()
    expect(settings).toEqual({
      issuer: issuer.issuer,
      authorizationEndpoint: `${issuer.issuer}/auth`,
      tokenEndpoint: `${issuer.issuer}/token`,
      clientId: 'sallyport-page',
      scope: 'openid',
      redirectUri: `${url}/approvals`,
    })
  })

  test('of other origins nothing is accepted, with the best of tokens', async () => {
    const token = await gateway.token({ subject: 'ann', kind: 'human', groups: ['dba'] })
    const from = (origin: string) =>
      fetch(`${url}/v1/approvals`, { headers: { authorization: `Bearer ${token}`, origin } })
    expect((await from('https://evil.example')).status).toBe(403)
    expect((await from('null')).status).toBe(403)
    expect((await from(url)).status).toBe(200)
  })

  test.runIf(hasChromium)('a person follows the link, signs in, reads and decides', async () => {
    await using wire = await WireClient.connect({
      host: gateway.host,
      port: gateway.plainPort,
      user: 'agent',
      password: await gateway.token({ subject: 'agent', kind: 'machine' }),
      database: gateway.connection,
    })
    await using page = await openPage()
    // The right-to-left override would show another statement than runs.
    const text = 'INSERT INTO t VALUES (1) -- \u202e<img src=x onerror=alert(1)>'
    wire.send({ kind: 'Query', text })
    const seen = await wire.until(({ type }) => type === 'N')
    const link = new RegExp(`${url}/approvals/ap_[\\w-]+`).exec(
      Buffer.concat(seen.map(({ bytes }) => bytes)).toString(),
    )?.[0]
    await page.goto(link ?? '')
    await page.until('!document.querySelector("#sign-in").hidden')
    await page.evaluate('document.querySelector("#sign-in").click()')
    await logIn(page, 'ann')
    await page.until('document.querySelector("pre")')
    expect(await page.evaluate('location.href')).toBe(link)
    expect(await page.evaluate('document.querySelector("pre").textContent')).toBe(
      'INSERT INTO t VALUES (1) -- U+202E<img src=x onerror=alert(1)>',
    )
    expect(await page.evaluate('document.querySelectorAll("img").length')).toBe(0)
    expect(await page.evaluate('document.body.innerText')).toMatch(/Requester\s+agent/)
    await page.evaluate('document.querySelector("input").value = "looks right"')
    // Enter in the reason decides nothing.
    expect(
      await page.evaluate(
        'document.querySelectorAll("form :not([type=button]):is(button)").length',
      ),
    ).toBe(0)
    await page.evaluate('document.querySelector("button[value=approve]").click()')
    expect(say(await wire.replies())).toBe('C:INSERT 0 1 Z:I')
    // Told by the stream of changes, not by asking again.
    await page.until('document.querySelector("h2").textContent.endsWith(": used")')
    expect(await page.evaluate('document.querySelector("form")')).toBeNull()
    // Nothing that outlives the page: no cookie of ours, no token in any storage.
    expect(await page.evaluate('document.cookie')).toBe('')
    expect(await page.evaluate('JSON.stringify([{...localStorage}, {...sessionStorage}])')).toBe(
      '[{},{}]',
    )
    expect(page.complaints.filter((one) => /polic|trusted/i.test(one))).toEqual([])
    const token = await gateway.token({ subject: 'ann', kind: 'human', groups: ['dba'] })
    const id = link?.split('/').at(-1)
    const { body } = await controlAt(url, token).get(`/v1/approvals/${id}`)
    expect(body.decisions).toMatchObject([
      { by: 'ann', decision: 'approve', reason: 'looks right' },
    ])
  })

  test.runIf(hasChromium)(
    'without a link, what waits is listed as it comes, and denied',
    async () => {
      await using page = await openPage()
      await page.goto(`${url}/approvals`)
      await page.until('!document.querySelector("#sign-in").hidden')
      await page.evaluate('document.querySelector("#sign-in").click()')
      await logIn(page, 'ann')
      await page.until('document.body.innerText.includes("Nothing waits for you")')
      await using wire = await WireClient.connect({
        host: gateway.host,
        port: gateway.plainPort,
        user: 'agent',
        password: await gateway.token({ subject: 'agent', kind: 'machine' }),
        database: gateway.connection,
      })
      wire.send({ kind: 'Query', text: 'DELETE FROM t' })
      await page.until('document.querySelector("pre")')
      // Run and rolled back: what it would delete, as text.
      expect(await page.evaluate('document.body.innerText')).toMatch(/Would change\s+1 row/)
      expect(await page.evaluate('document.querySelector("table").innerText')).toMatch(
        /1\s+<img src=x/,
      )
      expect(await page.evaluate('document.querySelectorAll("img").length')).toBe(0)
      await page.evaluate('document.querySelector("input").value = "not all of it"')
      await page.evaluate('document.querySelector("button[value=deny]").click()')
      expect(errorsOf(await wire.replies())[0]).toMatchObject({
        sqlstate: 'SP002',
        detail: 'not all of it',
      })
    },
  )
})

/** Fills in the provider's login form. */
async function logIn(page: Page, name: string): Promise<void> {
  await page.until('document.querySelector("input[name=login]")')
  await page.evaluate(`document.querySelector('input[name=login]').value = '${name}'`)
  await page.evaluate('document.querySelector("form").submit()')
}
