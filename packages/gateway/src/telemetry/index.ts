/** Log, metrics and the admin server's base routes. */
export {
  ADMIN_BODY_BYTES_MAX,
  ADMIN_CONNECTIONS_MAX,
  ADMIN_REQUEST_MS_MAX,
  type AdminOptions,
  addHealthRoutes,
  createAdminServer,
  type HealthOptions,
  type ReadyPiece,
  renewCertificate,
} from './http.ts'
export { type HttpError, httpErrorOf } from './http-errors.ts'
export { createLogger, describeError, type Logger, type LogLevel, redactText } from './logger.ts'
export {
  type AuditState,
  type CatalogAge,
  createTelemetry,
  type Direction,
  type Telemetry,
} from './metrics.ts'
