/** All micro benchmarks, or those named: node bench/micro/run.ts [sql] [mysql] [decisions] [rows] [audit] */
const NAMES = ['sql', 'mysql', 'decisions', 'rows', 'audit'] as const

const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => !NAMES.some((known) => known === name))
if (unknown !== undefined) {
  process.stderr.write(`no micro benchmark \`${unknown}\`; there are ${NAMES.join(', ')}\n`)
  process.exit(2)
}
for (const name of NAMES) {
  if (wanted.length === 0 || wanted.includes(name)) await import(`./${name}.ts`)
}

export {}
