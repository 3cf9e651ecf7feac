import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CatalogData } from '@sallyport/sql'
import { afterAll, expect, test } from 'vitest'
import { catalogText, fileCatalog } from './catalog.ts'

const folder = mkdtempSync(join(tmpdir(), 'sp-cat-'))
afterAll(() => rmSync(folder, { recursive: true }))

const data: CatalogData = {
  database: 'crm',
  schemas: ['public'],
  extensions: ['citext'],
  types: [{ schema: 'public', name: 'mood', row: false }],
  serverVersion: 180_004,
  relations: [
    {
      id: 1,
      schema: 'public',
      name: 'customers',
      kind: 'table',
      columns: [{ name: 'email', number: 1, type: 'text', typeId: 25 }],
      parents: [],
      rules: false,
      triggers: false,
      rowSecurity: false,
    },
  ],
  functions: [],
  userOperators: [],
}

function file(text: string): string {
  const path = join(folder, 'catalog.json')
  writeFileSync(path, text)
  return path
}

test('a snapshot comes back as it was written', async () => {
  const catalog = await fileCatalog(file(catalogText(data)))
  expect({ ...catalog.data }).toEqual(data)
  expect(catalog.relation('public', 'customers')?.columns[0]?.name).toBe('email')
})

test('relations stand one a line', () => {
  const lines = catalogText({ ...data, relations: [...data.relations, ...data.relations] }).split(
    '\n',
  )
  expect(lines.filter((line) => line.includes('"customers"'))).toHaveLength(2)
})

test.each([
  ['not json', 'is not JSON'],
  ['[]', 'has no `"version": 1`'],
  ['{"version":2}', 'has no `"version": 1`'],
  ['{"version":1}', 'lacks `database`'],
  [JSON.stringify({ version: 1, ...data, functions: {} }), 'lacks `relations`, `functions`'],
  [JSON.stringify({ version: 1, ...data, relations: [{ name: 'x' }] }), 'has a relation without'],
  [JSON.stringify({ version: 1, ...data, functions: [5] }), 'has a function without'],
  [JSON.stringify({ version: 1, ...data, schemas: [5] }), 'has `schemas` that are no names'],
  [JSON.stringify({ version: 1, ...data, types: [5] }), 'has a type without name'],
  [JSON.stringify({ version: 1, ...data, mysql: 5 }), 'has a `mysql` that is none'],
])('refuses %s', async (text, why) => {
  await expect(fileCatalog(file(text))).rejects.toThrow(why)
})
