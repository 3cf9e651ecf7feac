/**
 * House rules a linter cannot see: who may import whom, what pure packages may touch, how long files get.
 */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const SCOPE = '@sallyport/'

/** Which workspaces of ours each may import at run time. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'protocols/wire': [],
  'protocols/postgres': ['protocol-wire'],
  'protocols/mysql': ['protocol-wire'],
  'packages/sql': [],
  'packages/policy': ['sql', 'protocol-wire'],
  'packages/identity': [],
  'packages/audit': [],
  'packages/gateway': [
    'protocol-wire',
    'protocol-postgres',
    'protocol-mysql',
    'sql',
    'policy',
    'identity',
    'audit',
  ],
  'packages/cli': ['gateway', 'policy', 'audit', 'sql', 'identity'],
  'packages/langgraph': [],
}

/** No sockets, files, clock, timers or randomness: they come in as arguments. */
const PURE = [
  'protocols/wire',
  'protocols/postgres',
  'protocols/mysql',
  'packages/sql',
  'packages/policy',
] as const
const IMPURE_IMPORT =
  /^node:(net|tls|fs|http|https|http2|dgram|dns|child_process|worker_threads|timers)/
const IMPURE_CALL =
  /\b(Date\.now|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|randomBytes|randomUUID)\s*\(/

/** `import … from`, `export … from`, a bare `import`, a dynamic one. */
const IMPORT =
  /^(?:import|export)\b[^'"`;]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm

interface Source {
  readonly workspace: string
  readonly path: string
  readonly text: string
  readonly imports: readonly string[]
}

const sources: readonly Source[] = Object.keys(MAY_IMPORT).flatMap((workspace) =>
  globSync(join(ROOT, workspace, 'src/**/*.ts')).map((file) => {
    const text = readFileSync(file, 'utf8')
    const imports = [...text.matchAll(IMPORT)].map((m) => m[1] ?? m[2] ?? m[3] ?? '')
    return { workspace, path: relative(ROOT, file), text, imports }
  }),
)
const shipped = sources.filter(({ path }) => !/\.test\.ts$|\/testing|\.bench\.ts$/.test(path))

describe('imports', () => {
  test('finds the sources it is to judge', () => {
    expect(shipped.length).toBeGreaterThan(100)
  })

  test.each(Object.entries(MAY_IMPORT))(
    '%s imports only what it may of ours',
    (workspace, allowed) => {
      const wrong = shipped
        .filter((source) => source.workspace === workspace)
        .flatMap(({ path, imports }) =>
          imports
            .filter((name) => name.startsWith(SCOPE))
            .filter((name) => !allowed.includes(name.slice(SCOPE.length)))
            .map((name) => `${path} imports ${name}`),
        )
      expect(wrong).toEqual([])
    },
  )

  test('nobody reaches into the source of another workspace', () => {
    const wrong = sources.flatMap(({ path, workspace, imports }) =>
      imports
        .filter((name) => name.startsWith('.'))
        .map((name) => relative(ROOT, join(ROOT, dirname(path), name)))
        .filter((target) => !target.startsWith(workspace))
        .filter((target) => !target.startsWith('policies') && !target.startsWith('test/'))
        .map((target) => `${path} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('files import their siblings, never their own index', () => {
    const wrong = shipped
      .filter(({ path }) => !path.endsWith('/index.ts'))
      .flatMap(({ path, workspace, imports }) =>
        imports
          .filter((name) => name.startsWith('.'))
          .map((name) => relative(ROOT, join(ROOT, dirname(path), name)))
          .filter((target) => target === `${workspace}/src/index.ts`)
          .map(() => path),
      )
    expect(wrong).toEqual([])
  })

  test.each(Object.keys(MAY_IMPORT))('%s declares what it imports', (workspace) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, workspace, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>
      peerDependencies?: Record<string, string>
    }
    const declared = new Set(
      Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }),
    )
    const wrong = shipped
      .filter((source) => source.workspace === workspace)
      .flatMap(({ path, imports }) =>
        imports
          .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
          .map((name) =>
            name
              .split('/')
              .slice(0, name.startsWith('@') ? 2 : 1)
              .join('/'),
          )
          .filter((name) => !declared.has(name))
          .map((name) => `${path} imports ${name}`),
      )
    expect(wrong).toEqual([])
  })
})

describe('pure packages', () => {
  test.each(PURE)('%s opens nothing and owns no clock or randomness', (workspace) => {
    const wrong = shipped
      .filter((source) => source.workspace === workspace)
      .flatMap(({ path, text, imports }) => {
        const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
        const call = IMPURE_CALL.exec(code)?.[0]
        return [
          ...imports
            .filter((name) => IMPURE_IMPORT.test(name))
            .map((name) => `${path} imports ${name}`),
          ...(call === undefined ? [] : [`${path} calls ${call})`]),
        ]
      })
    expect(wrong).toEqual([])
  })
})

describe('documents', () => {
  test.each(Object.keys(MAY_IMPORT))('%s has a README', (workspace) => {
    expect(existsSync(join(ROOT, workspace, 'README.md'))).toBe(true)
  })

  test.each([
    ['ARCHITECTURE.md', 20],
    ['SECURITY.md', 8],
  ])('files named by %s exist', (page, least) => {
    const text = readFileSync(join(ROOT, page), 'utf8')
    const named = [
      ...text.matchAll(/`((?:packages|protocols|test|policies|bench)\/[^`*\s]+)`/g),
    ].map((match) => match[1] ?? '')
    expect(named.length).toBeGreaterThan(least)
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })
})
