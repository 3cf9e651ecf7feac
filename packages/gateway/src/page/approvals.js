/**
 * The approvals page: signs a person in at the identity provider (authorization code with PKCE, RFC 7636), keeps the
 * token in this page's memory and nowhere else, and calls the control API with it. There is no cookie, so no other
 * page can act in a person's name; a reload signs in again.
 */

const KEPT = 'sallyport-sign-in'
/** Reading anew when the stream of changes has ended, ms. */
const AGAIN_MS = 5_000

const main = document.querySelector('#main')
const said = document.querySelector('#said')
const signIn = document.querySelector('#sign-in')
let token = null

/** What the gateway says about signing in: endpoints, client, scope. */
const settings = await (await fetch('/approvals/settings.json')).json()
signIn.addEventListener('click', () => void leave())
await begin()

async function begin() {
  const query = new URLSearchParams(location.search)
  if (!query.has('state')) {
    remember({ wanted: wantedIn(location.pathname) })
    signIn.hidden = false
    return
  }
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? '{}')
  sessionStorage.removeItem(KEPT)
  history.replaceState(null, '', kept.wanted ? `/approvals/${kept.wanted}` : '/approvals')
  try {
    token = await redeem(query, kept)
  } catch (error) {
    say(`Signing in failed: ${error.message}`)
    remember({ wanted: kept.wanted })
    signIn.hidden = false
    return
  }
  await follow(kept.wanted ?? null)
}

function wantedIn(path) {
  const id = /^\/approvals\/([\w-]+)$/.exec(path)?.[1]
  return id ?? null
}

function remember(kept) {
  sessionStorage.setItem(KEPT, JSON.stringify(kept))
}

async function leave() {
  const { wanted } = JSON.parse(sessionStorage.getItem(KEPT) ?? '{}')
  const verifier = random()
  const state = random()
  remember({ wanted, verifier, state })
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  const address = new URL(settings.authorizationEndpoint)
  const parameters = {
    response_type: 'code',
    client_id: settings.clientId,
    redirect_uri: settings.redirectUri,
    scope: settings.scope,
    state,
    code_challenge: base64url(new Uint8Array(hash)),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value)
  location.assign(address)
}

async function redeem(query, { verifier, state }) {
  if (!state || query.get('state') !== state) throw new Error('the answer is to another question')
  // RFC 9207: the answer of another provider is not ours to redeem.
  if (query.has('iss') && query.get('iss') !== settings.issuer) throw new Error('another provider')
  if (query.has('error')) throw new Error(query.get('error_description') ?? query.get('error'))
  const answer = await fetch(settings.tokenEndpoint, {
    method: 'POST',
    credentials: 'omit',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: query.get('code') ?? '',
      redirect_uri: settings.redirectUri,
      client_id: settings.clientId,
      code_verifier: verifier,
    }),
  })
  const body = await answer.json()
  if (!answer.ok) throw new Error(body.error_description ?? body.error ?? 'refused')
  // The access token where it is a JWT the gateway can verify, else the ID token.
  return body.access_token.split('.').length === 3 ? body.access_token : body.id_token
}

/** Shows what is there, and again whenever something changes. */
async function follow(wanted) {
  for (;;) {
    try {
      const events = await api('/v1/approvals/events')
      await show(wanted)
      const reader = events.body.pipeThrough(new TextDecoderStream()).getReader()
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        if (read.value.includes('event: ')) await show(wanted)
      }
    } catch (error) {
      say(error.message)
      if (error.isFinal) {
        token = null
        main.replaceChildren()
        remember({ wanted })
        signIn.hidden = false
        return
      }
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

async function api(path, method = 'GET', body = undefined) {
  const answer = await fetch(path, {
    method,
    credentials: 'omit',
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (answer.ok) return answer
  const { message, error } = await answer.json().catch(() => ({}))
  const failure = new Error(message ?? error ?? `status ${answer.status}`)
  failure.isFinal = answer.status === 401
  throw failure
}

async function show(wanted) {
  // What somebody types into a form stays while the list changes around it.
  const typed = new Map([...main.querySelectorAll('input')].map((input) => [input.id, input.value]))
  const focused = document.activeElement?.id
  const all = wanted
    ? [await (await api(`/v1/approvals/${wanted}`)).json()]
    : (await (await api('/v1/approvals?open=true')).json()).approvals
  const whole = await Promise.all(
    all
      .map((one) => (one.shown === null && one.mayDecide ? one.id : null))
      .map(async (id, i) => (id === null ? all[i] : (await api(`/v1/approvals/${id}`)).json())),
  )
  main.replaceChildren(...whole.map(article))
  if (whole.length === 0) main.append(element('p', 'Nothing waits for you.'))
  for (const [id, value] of typed) {
    const input = document.getElementById(id)
    if (input !== null) input.value = value
  }
  if (focused) document.getElementById(focused)?.focus()
}

function article(one) {
  const { requester } = one
  const place = [requester.graph, requester.node, requester.run].filter((part) => part !== null)
  const found = element('article')
  found.id = one.id
  found.append(element('h2', `${one.id}: ${one.status}`))
  found.append(
    facts({
      Requester: `${requester.subject}${place.length === 0 ? '' : ` (${place.join(' / ')})`}`,
      Issuer: requester.issuer,
      Wants: wantedBy(one),
      'As role': one.what === 'grant' ? null : requester.role,
      On: [...new Set([one.connection, one.database])].filter((part) => part !== '').join('/'),
      Rule: one.rule,
      Reason: one.reason,
      'Decide by': new Date(one.decideBy).toLocaleString(),
      Decisions: one.decisions
        .map((made) => `${made.decision} by ${made.by} ${made.reason}`)
        .join('; '),
      Ended: one.ended,
    }),
  )
  if (one.shown !== null) found.append(...statement(one.shown))
  if (one.mayDecide) found.append(decision(one))
  return found
}

function wantedBy({ what, requester, grant }) {
  switch (what) {
    case 'grant':
      return `the role ${requester.role} for ${grant.seconds / 60} min${grant.breakGlass ? ', taken already: to be reviewed' : ''}`
    case 'result':
      return 'the rest of a result'
    default:
      return 'to run a statement, once'
  }
}

function facts(named) {
  const list = element('dl')
  for (const [name, value] of Object.entries(named)) {
    if (value === null || value === '') continue
    list.append(element('dt', name), visible('dd', value))
  }
  return list
}

function statement({ sql, layout, parameters, estimate, preview }) {
  const parts = sql === '' ? [] : [visible('pre', layout ?? sql)]
  if (layout !== null && layout !== sql) {
    const sent = element('details')
    sent.append(element('summary', 'As it was sent'), visible('pre', sql))
    parts.push(sent)
  }
  if (parameters.length > 0) {
    parts.push(
      facts(Object.fromEntries(parameters.map((value, i) => [`$${i + 1}`, value ?? 'NULL']))),
    )
  }
  if (estimate?.kind === 'estimate') {
    parts.push(facts({ Estimate: rowsOf(estimate.rows) }), visible('pre', estimate.plan.join('\n')))
  } else if (estimate !== null) parts.push(facts({ Estimate: `none: ${estimate.why}` }))
  if (preview?.kind === 'preview') {
    parts.push(facts({ 'Would change': rowsOf(preview.affected) }))
    if (preview.rows.length > 0) parts.push(changes(preview))
  } else if (preview !== null) parts.push(facts({ Preview: `none: ${preview.why}` }))
  return parts
}

function rowsOf(count) {
  return `${count} ${count === 1 ? 'row' : 'rows'}`
}

/** Each changed row as it was, and as it would be. */
function changes({ affected, columns, rows }) {
  const table = element('table')
  table.append(element('caption', `${rows.length} of ${affected}`))
  const line = (sign, cells, kind) => {
    const made = element('tr')
    made.append(element('th', sign), ...cells.map((cell) => visible(kind, cell ?? 'NULL')))
    return made
  }
  table.append(line('', columns, 'th'))
  for (const { before, after } of rows) {
    if (before !== null) table.append(line('before', before, 'td'))
    if (after !== null) table.append(line('after', after, 'td'))
  }
  return table
}

function decision(one) {
  const form = element('form')
  const reason = input(`reason-${one.id}`, 'Reason (the requester reads it)')
  const ticket = one.approvers.some((needed) => needed.ticket !== null)
    ? input(`ticket-${one.id}`, 'Ticket')
    : null
  const button = (word, choice) => {
    const made = element('button', word)
    made.type = 'button'
    made.value = choice
    made.addEventListener('click', () => {
      void decide(one.id, choice, reason.value, ticket?.value ?? '')
    })
    return made
  }
  form.append(reason, ...(ticket === null ? [] : [ticket]))
  form.append(...(one.mayApprove ? [button('Approve', 'approve')] : []), button('Deny', 'deny'))
  // Enter in a text field decides nothing: a reason is typed before it is said which of the two it is for.
  form.addEventListener('submit', (event) => event.preventDefault())
  return form
}

async function decide(id, choice, reason, ticket) {
  try {
    const body = { decision: choice, reason, ...(ticket !== '' && { ticket }) }
    const { status } = await (await api(`/v1/approvals/${id}/decision`, 'POST', body)).json()
    say(`${id}: ${status}`)
  } catch (error) {
    say(`Not counted: ${error.message}`)
  }
}

function input(id, label) {
  const made = element('input')
  made.id = id
  made.placeholder = label
  made.setAttribute('aria-label', label)
  made.maxLength = 1000
  return made
}

/** Text of somebody else's: what would not be seen, or turns the rest around, is shown by its number. */
function visible(name, text) {
  const made = element(name)
  for (const part of String(text).split(/([^\P{C}\n\t])/u)) {
    const isHidden = /^[^\P{C}\n\t]$/u.test(part)
    const code = isHidden ? part.codePointAt(0).toString(16).toUpperCase().padStart(4, '0') : ''
    made.append(isHidden ? element('mark', `U+${code}`) : part)
  }
  return made
}

function element(name, text = '') {
  const made = document.createElement(name)
  made.textContent = text
  return made
}

function say(text) {
  said.textContent = text
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)))
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
