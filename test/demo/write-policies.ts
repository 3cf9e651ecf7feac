/** Writes the demo's policies into a folder, for the image: node test/demo/write-policies.ts FOLDER */
import process from 'node:process'
import { writePolicies } from './policies.ts'

const [folder] = process.argv.slice(2)
if (folder === undefined) {
  process.stderr.write('usage: write-policies.ts FOLDER\n')
  process.exit(2)
}
await writePolicies(folder)
