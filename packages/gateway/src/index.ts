/** The public names of @sallyport/gateway. */
export type {
  ApprovalView,
  GrantView,
  ListenerView,
  SessionsView,
  SessionView,
  ShownView,
  WatchedView,
} from './admin/contract.ts'
export { connectCatalog } from './catalog/connection.ts'
export { MYSQL_CATALOG } from './catalog/mysql-source.ts'
export { loadCatalogData } from './catalog/postgres.ts'
export type { CatalogLogin, CatalogReader } from './catalog/source.ts'
export { loadConfig, parseConfig } from './config/load.ts'
export type {
  AdminConfig,
  AuditConfig,
  ConnectionConfig,
  Credential,
  GatewayConfig,
  LimitsConfig,
  ListenerConfig,
  UpstreamTlsConfig,
} from './config/model.ts'
export { CONFIG_SCHEMA } from './config/schema.ts'
export { ownSecretPlaces } from './config/secret-references.ts'
export { ConnectionRuntime } from './connections/runtime.ts'
export { ConfigError, type ConfigProblem, GatewayError, type GatewayErrorCode } from './errors.ts'
export { sinkFor } from './exports/destination.ts'
export { exportCursor, exportedUpTo, runExport } from './exports/exporter.ts'
export type { Message, Sink } from './exports/sink.ts'
export { type GatewayAddress, type RunningGateway, startGateway } from './gateway.ts'
export { sharedIndexOf } from './parts.ts'
export { loadPolicy, PolicyLoadError } from './policy/holder.ts'
export { mysqlText } from './recordings/mysql-cells.ts'
export {
  replayFrames,
  type ShownColumn,
  type ShownItem,
  type ShownReport,
} from './recordings/replay.ts'
export { recordingKey } from './recordings/room.ts'
export { createSecrets, type Secrets } from './secrets/store.ts'
export { DecisionContext } from './session/decisions.ts'
export { Views } from './session/grounds.ts'
export { type MysqlCode, mysqlCodeOf } from './session/mysql/errors.ts'
export { PostgresTexts } from './session/postgres/texts.ts'
export { openTokenState, type TokenState } from './state/token-state.ts'
