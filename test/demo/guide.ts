/** What the running demo tells its user: commands to copy, run from the project's folder. */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { PROJECT, type RunningDemo } from './demo.ts'
import { CONNECTION, ROLE_NAMES, ROLES, SUPPORTER, WRITER } from './people.ts'
import { SHOP } from './shop.ts'

const QUERY = 'SELECT id, name, email, phone, ssn FROM customers WHERE id < 4'

const CHANGE = "UPDATE orders SET status = 'cancelled' WHERE id = 1 /*reason='ticket 7'*/"

const CORRECTION = "UPDATE orders SET note = 'called back' WHERE id = 2"

const SHOP_QUERY = 'SELECT id, name, email, phone, birth_date FROM customers WHERE id < 4'

export function guideText(demo: RunningDemo, keep: boolean): string {
  const at = (...path: string[]): string => shortest(join(demo.folder, ...path))
  const { gateway, admin } = demo.ports
  const psql = (role: string, sql: string): string =>
    `PGPASSWORD=$(cat ${at('tokens', role)}) psql "host=localhost port=${gateway} dbname=${CONNECTION} user=${role} ` +
    `sslmode=verify-full sslrootcert=${at('state', 'tls', 'server.crt')}" -c "${sql}"`
  const query = (role: string, ...statements: string[]): string => {
    const quoted = statements.map((sql) => `"${sql}"`).join(' ')
    return `node_modules/.bin/node test/demo/query.ts ${dirFlag(demo)}--as ${role} ${quoted}`
  }
  const url = `http://127.0.0.1:${admin}`
  const approvals = (what: string): string =>
    `${sallyport()} approvals ${what} --url ${url} --token-file ${at('tokens', 'analyst')}`
  const psqlAs = (flags: string): string =>
    `${sallyport()} psql ${CONNECTION} ${flags}-- -c "${CORRECTION}"`
  return `
The demo runs.
  PostgreSQL clients   localhost:${gateway}, TLS, database ${CONNECTION}; password: a token
${shopAddress(demo)}  admin address        ${url}/readyz  /metrics  /openapi.json  /oauth/token  /oauth/revoke
  approvals page       ${url}/approvals   (sign in as ada; nobody has a password)
  OpenID provider      ${demo.issuer.issuer}
  configuration        ${at('sallyport.yaml')}   (after an edit: kill -HUP ${demo.gateway.pid})
  policies             ${at('policies')}/*.yaml   (edits are in force as you save them)
  gateway's log        ${at('gateway.log')}

Run these from ${PROJECT}
Tokens are in ${at('tokens')}, live 15 minutes and are renewed while the demo runs.

1. One query, three people
${ROLE_NAMES.map((role) => `   # ${ROLES[role].about}\n   ${psql(role, QUERY)}`).join('\n')}
   # without psql:
${ROLE_NAMES.map((role) => `   ${query(role, QUERY)}`).join('\n')}

2. Other ways to the same columns
   ${query('analyst', 'SELECT upper(email), reply_to FROM customers, ticket_inbox LIMIT 1')}
   ${query('analyst', 'COPY (SELECT name, email FROM customers WHERE id < 4) TO STDOUT (FORMAT csv)')}
   ${query('analyst', 'PREPARE p AS SELECT email FROM customers WHERE id = \\$1', 'EXECUTE p(1)')}

3. Refused: by a rule, because it cannot be parsed
   ${query('analyst', 'UPDATE orders SET note = NULL WHERE id = 1')}
   ${query('analyst', 'SELEC email FROM customers')}

4. A person decides: the agent asks, Ada leads support and agrees (or on the page), the same statement runs, once
   ${query('agent', CHANGE)}
   ${approvals('list')}
   ${approvals('approve ID')}   # as the error and the list say
   ${query('agent', CHANGE)}

5. A role for a time: sign in as ${SUPPORTER.sub}, of support; be refused; ask; Ada agrees
   ${sallyport()} login --url ${url} --ca ${at('state', 'tls', 'server.crt')}
   ${psqlAs('')}
   ${sallyport()} request --role ${WRITER.name} --connection ${CONNECTION} --for 15m --reason 'ticket 12'
   ${approvals('approve ID')}
   ${psqlAs(`--role ${WRITER.name} `)}
   ${sallyport()} grants revoke ID   # or when its time is over: its sessions end
   ${sallyport()} logout

6. From a program
${snippets(at, gateway)}

${shopSection(demo, at, query)}7. Why? And who did what?
   ${sallyport()} policy explain "SELECT upper(email) FROM customers" -c ${at('sallyport.yaml')} --connection ${CONNECTION} --token-file ${at('tokens', 'analyst')}
   ${sallyport()} audit tail -c ${at('sallyport.yaml')} --follow
   ${sallyport()} audit search -c ${at('sallyport.yaml')} --verdict deny
   ${sallyport()} audit sessions -c ${at('sallyport.yaml')}   # then, of a session of the agent's:
   ${sallyport()} replay SESSION -c ${at('sallyport.yaml')}
   ${sallyport()} audit verify ${at('audit')} --live --public-key ${at('audit')}/public-key-*.pem
   ${sallyport()} policy test ${at('policies')}/*.cases.yaml -c ${at('sallyport.yaml')}

8. Change a mask while it runs
   sed -i 's/with: email/with: redact/' ${at('policies', 'analyst-read-only.yaml')}

${keep ? `Ctrl-C stops everything; ${at()} stays (--keep).` : `Ctrl-C stops everything and removes ${at()} (--keep leaves it).`}
`
}

function shopAddress({ shop, ports }: RunningDemo): string {
  return typeof shop === 'string'
    ? `  MySQL clients        none: ${shop}\n`
    : `  MySQL clients        localhost:${ports.shop}, TLS, database ${SHOP} (${shop.server.version}); password: a token\n`
}

function shopSection(
  { shop, ports }: RunningDemo,
  at: (...path: string[]) => string,
  query: (role: string, ...statements: string[]) => string,
): string {
  if (typeof shop === 'string') return ''
  const mysql = (role: string, sql: string): string =>
    `mysql -h 127.0.0.1 -P ${ports.shop} --ssl-ca=${at('state', 'tls', 'server.crt')} -u ${role} ` +
    `-p"$(cat ${at('tokens', role)})" ${SHOP} -e "${sql}"`
  return `   // MySQL: the same people, the same words
${ROLE_NAMES.map((role) => `   ${mysql(role, SHOP_QUERY)}`).join('\n')}
   # without a MySQL client:
${ROLE_NAMES.map((role) => `   ${query(`${role} --shop`, SHOP_QUERY)}`).join('\n')}

`
}

function snippets(at: (...path: string[]) => string, port: number): string {
  const certificate = at('state', 'tls', 'server.crt')
  const token = at('tokens', 'agent')
  return `   # Python, psycopg
   psycopg.connect(host="localhost", port=${port}, dbname="${CONNECTION}", user="agent",
                   password=open("${token}").read(),
                   sslmode="verify-full", sslrootcert="${certificate}")
   // Node, pg
   new pg.Client({ host: 'localhost', port: ${port}, database: '${CONNECTION}', user: 'agent',
                   password: () => readFile('${token}', 'utf8'),
                   ssl: { ca: readFileSync('${certificate}', 'utf8') } })`
}

/** npx only where the command is installed: otherwise it would look for one elsewhere. */
function sallyport(): string {
  const installed = existsSync(join(PROJECT, 'node_modules', '.bin', 'sallyport'))
  return installed ? 'npx sallyport' : 'npm run -s sallyport --'
}

function dirFlag({ folder }: RunningDemo): string {
  const usual = join(PROJECT, '.sallyport', 'demo')
  return folder === usual ? '' : `--dir ${shortest(folder)} `
}

/** Relative to the project where that is shorter. */
function shortest(path: string): string {
  const from = relative(PROJECT, path)
  return from.startsWith('..') ? path : from
}
