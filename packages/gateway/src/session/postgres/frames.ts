/** ErrorResponse and NoticeResponse of the gateway's own reports. What the server reports: redaction.ts. */
import { ByteWriter, writeReport } from '@sallyport/protocol-postgres'
import type { Report } from '../reports.ts'

export function errorFrame(report: Report, severity: 'ERROR' | 'FATAL' = 'ERROR'): Buffer {
  return frame('error', severity, report)
}

export function noticeFrame(report: Report, severity: 'WARNING' | 'NOTICE' = 'WARNING'): Buffer {
  return frame('notice', severity, report)
}

function frame(kind: 'error' | 'notice', severity: string, report: Report): Buffer {
  const out = new ByteWriter()
  writeReport(out, kind, {
    severity,
    severityUntranslated: severity,
    sqlstate: report.sqlstate,
    message: report.message,
    ...(report.detail && { detail: report.detail }),
    ...(report.hint && { hint: report.hint }),
    ...(report.position && { position: String(report.position) }),
  })
  return out.take()
}
