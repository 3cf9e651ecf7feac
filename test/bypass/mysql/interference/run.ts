/**
 * The long run: `node test/bypass/mysql/interference/run.ts mysql|mariadb [statements] [seed]`. Says how many
 * statements were generated, accepted and refused, and lists those that told the worlds apart.
 */
import { startMysql } from '../../../support/mysql-servers.ts'
import { MASKED } from '../../identities.ts'
import { runLong } from '../../interference/long-run.ts'
import { openMysqlWorlds } from '../world.ts'
import { keepEstimates, MysqlComparison } from './compare.ts'
import { statements } from './language.ts'

const [named, ...rest] = process.argv.slice(2)
const flavour = named === 'mariadb' ? 'mariadb' : 'mysql'
const server = await startMysql(flavour)
if ('unavailable' in server) throw new Error(server.unavailable)
{
  await using world = await openMysqlWorlds(server)
  await keepEstimates(world)
  const masks = MASKED.filter((who) => who !== 'hashed')
  await runLong(rest, {
    statements: () => statements(flavour),
    open: (batch) => MysqlComparison.open(world, masks[batch % masks.length] ?? 'redacted'),
  })
}
await server.stop()
