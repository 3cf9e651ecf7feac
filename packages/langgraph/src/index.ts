/** The public names of @sallyport/langgraph. */
export { type ApprovalInterrupt, runWithApproval } from './approval.ts'
export { type ApprovalNeeded, type RefusalKind, SallyportError, sallyportError } from './errors.ts'
export { mysqlPassword } from './mysql-password.ts'
export {
  type MysqlQueryable,
  mysqlRunner,
  type PgQueryable,
  pgRunner,
  type SqlResult,
  type SqlRunner,
} from './run.ts'
export { createSqlTool, type SqlToolOptions } from './sql-tool.ts'
export { type GraphConfig, type Stamp, stamped, stampOf } from './stamp.ts'
export { type Narrowing, TokenError, TokenSource, type TokenSourceOptions } from './tokens.ts'
