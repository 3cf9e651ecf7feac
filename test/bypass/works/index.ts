/** Statements that must work, by who sends them. */
import { works as applications } from './applications.ts'
import { works as bi } from './bi.ts'
import { works as catalogs } from './catalogs.ts'
import { works as crm } from './crm.ts'
import { works as django } from './django.ts'
import { works as drivers } from './drivers.ts'
import { works as everyTool } from './every-tool.ts'
import { works as jvm } from './jvm.ts'
import { works as langgraph } from './langgraph.ts'
import { works as node } from './node.ts'
import { works as psql } from './psql.ts'
import { works as rails } from './rails.ts'
import { works as sqlalchemy } from './sqlalchemy.ts'
import { works as tpc } from './tpc.ts'

/** None of these touches a masked column: the answer is the server's own. */
export const CLEAN: Readonly<Record<string, readonly string[]>> = {
  drivers,
  catalogs,
  SQLAlchemy: sqlalchemy,
  Django: django,
  Rails: rails,
  'Node ORMs': node,
  'JVM and DBeaver': jvm,
  'BI tools': bi,
  'TPC shapes': tpc,
  'psql and pg_dump': psql,
  LangGraph: langgraph,
  'an application': crm,
  'with extensions': applications,
  'every tool': everyTool,
}
