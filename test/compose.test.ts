/**
 * docker-compose.yml and Dockerfile without Docker: the files they name are there and reach the image, the gateway's
 * configuration loads and its ports, hosts and secrets are the services'.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { loadConfig } from '@sallyport/gateway'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const CONFIG = 'test/demo/compose/sallyport.yaml'

interface Service {
  readonly entrypoint?: readonly string[]
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly network_mode?: string
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly build?: { readonly target: string }
}
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}
const services = Object.entries(compose.services)
const dockerfile = read('Dockerfile')

test('what is mounted is there, what is depended on is a service', () => {
  for (const [name, { volumes = [], depends_on = {}, network_mode }] of services) {
    for (const volume of volumes) {
      const [from = ''] = volume.split(':')
      const isThere = from.startsWith('./') ? existsSync(join(ROOT, from)) : from in compose.volumes
      expect(isThere, `${name}: ${volume}`).toBe(true)
    }
    const others = [...Object.keys(depends_on), ...(network_mode?.split(':').slice(1) ?? [])]
    for (const other of others) expect(compose.services).toHaveProperty(other)
  }
})

test('the gateway’s configuration loads; its ports are published, on loopback; its secrets and hosts are given', () => {
  const config = loadConfig(join(ROOT, CONFIG))
  const ports = [...config.listeners, ...(config.admin === null ? [] : [config.admin])]
  const published = services.flatMap(([, one]) => one.ports ?? [])
  expect([...published].sort()).toEqual(ports.map(({ port }) => `127.0.0.1:${port}:${port}`).sort())
  for (const { port } of ports)
    expect(dockerfile).toMatch(new RegExp(`^EXPOSE.*\\b${port}\\b`, 'm'))
  expect(dockerfile).toContain(`http://127.0.0.1:${config.admin?.port}/readyz`)
  const named = read(CONFIG).matchAll(/env:(\w+)/g)
  const given = compose.services['gateway']?.environment ?? {}
  expect(Object.keys(given).sort()).toEqual([...new Set([...named].map(([, name]) => name))].sort())
  for (const { host } of config.connections.values()) expect(compose.services).toHaveProperty(host)
})

test('the image has every workspace’s manifest, and everything it starts', () => {
  const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, from = '']) =>
    from.split(' '),
  )
  for (const from of sources) expect(existsSync(join(ROOT, from)), from).toBe(true)
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, unknown> }
  const workspaces = Object.keys(lock.packages).filter(
    (path) => path !== '' && !path.includes('node_modules'),
  )
  for (const one of workspaces) expect(sources).toContain(`${one}/package.json`)
  for (const [name, { build }] of services) {
    if (build !== undefined) expect(dockerfile, name).toContain(`AS ${build.target}`)
  }
  const started = services.flatMap(([, { entrypoint = [] }]) => entrypoint.slice(1, 2))
  const run = [...dockerfile.matchAll(/\b((?:test|packages)\/\S+\.(?:ts|yaml))\b/g)]
  for (const file of [...started, ...run.map(([, path = '']) => path)]) {
    for (const one of importedBy(file)) expect(isInImage(one), `${file}: ${one}`).toBe(true)
  }
})

const allowed = read('.dockerignore')
  .split('\n')
  .filter((line) => line.startsWith('!'))
  .map((line) => line.slice(1))
const isInImage = (path: string): boolean =>
  existsSync(join(ROOT, path)) &&
  allowed.some((one) => path === one || path.startsWith(`${one}/`)) &&
  !/\.(test|bench)\.ts$|\/fixtures\//.test(path)

/** The file, and whatever it imports by a relative name, from there on. */
function importedBy(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file)) return found
  found.add(file)
  if (!file.endsWith('.ts') || !existsSync(join(ROOT, file))) return found
  for (const [, path = ''] of read(file).matchAll(/from '(\.[^']+)'/g)) {
    importedBy(relative(ROOT, join(ROOT, dirname(file), path)), found)
  }
  return found
}
