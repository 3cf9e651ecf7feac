/** The demo's tour as users run it: a process of its own that starts everything and checks every promise. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { mysqlUrl } from '../support/mysql-address.ts'
import { findMysql } from '../support/use-mysql.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const TOUR_MS_MAX = 330_000

/** The run's own MySQL or MariaDB server, so that the tour starts none. */
async function mysqlFromHere(): Promise<Record<string, string>> {
  const mysql = await findMysql('mysql')
  const found = 'unavailable' in mysql ? await findMysql('mariadb') : mysql
  if ('unavailable' in found) return {}
  const variable = `SALLYPORT_TEST_${found.flavour.toUpperCase()}_URL`
  return { [variable]: mysqlUrl(found, '') }
}

test(
  'the tour of the demo finds every promise kept',
  async () => {
    const env = { ...process.env, ...(await mysqlFromHere()) }
    const options = { timeout: TOUR_MS_MAX, maxBuffer: 16 * 1024 * 1024, env }
    const tour = promisify(execFile)(process.execPath, [MAIN, '--tour', '--quiet'], options)
    const { stdout } = await tour
    expect(stdout).toMatch(/^\s*\d{3} promises kept, 0 broken/)
  },
  // And the time it takes to have a server first.
  TOUR_MS_MAX + 180_000,
)
