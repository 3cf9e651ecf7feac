/**
 * The long run: `node test/bypass/interference/run.ts [statements] [seed]`. Says how many statements were
 * generated, accepted and refused, and lists those that told the worlds apart.
 */
import { startPostgres } from '../../support/servers.ts'
import { MASKED } from '../identities.ts'
import { openWorlds } from '../world.ts'
import { Comparison } from './compare.ts'
import { runLong } from './long-run.ts'
import { statements } from './postgres-language.ts'

await using server = await startPostgres()
await using world = await openWorlds(server, { statistics: 'none' })
const masks = MASKED.filter((who) => who !== 'hashed')
await runLong(process.argv.slice(2), {
  statements,
  open: (batch) => Comparison.open(world, masks[batch % masks.length] ?? 'redacted'),
})
