/** What a statement costs that has not been seen before, by stage. */
import { fingerprintPostgres, PostgresReader } from '@sallyport/sql'
import { suite } from './suite.ts'
import { CATALOG, NAMES, TEXTS } from './texts.ts'

const reader = await PostgresReader.create()
const VARIANTS = 512

const cases = Object.entries(TEXTS).flatMap(([size, text]) => {
  // Texts that differ in a literal: no string is the one of the call before.
  const texts = Array.from({ length: VARIANTS }, (_, i) => text(1000 + i))
  const pick = (i: number): string => texts[i % VARIANTS] as string
  const label = `${size}, ${text(1000).length} characters`
  return [
    { name: `fingerprint, ${label}`, run: (i: number) => void fingerprintPostgres(pick(i)) },
    {
      name: `analyze, ${label}`,
      run: (i: number) => void reader.analyze(pick(i), { catalog: CATALOG, names: NAMES }),
    },
  ]
})

await suite('SQL text to key, and to facts', cases)
