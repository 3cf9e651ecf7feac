/** Writes policies/schema.json and policies/cases.schema.json from the schemas ajv validates with. */

import { writeFileSync } from 'node:fs'
import { CASES_SCHEMA, POLICY_SCHEMA } from '../src/index.ts'

const folder = new URL('../../../policies/', import.meta.url)
for (const [name, schema] of [
  ['schema.json', POLICY_SCHEMA],
  ['cases.schema.json', CASES_SCHEMA],
] as const)
  writeFileSync(new URL(name, folder), `${JSON.stringify(schema, null, 2)}\n`)
