/** Parameters of a COM_STMT_EXECUTE for decisions, approvals and records. Query attributes are not among them. */
import type { BindParameter } from '@sallyport/policy'
import type { Parameters } from '@sallyport/protocol-mysql'

/** As SQL would write them, in UTF-8; what type the client sent them as stays. */
export function readParameters(parameters: Parameters): BindParameter[] {
  const bound: BindParameter[] = []
  for (let i = 0; i < parameters.markers; i++) {
    const text = parameters.text(i)
    const value = text === null ? null : Buffer.from(text, 'utf8')
    bound.push({ engine: 'mysql', format: 'text', typeId: parameters.typeOf(i).type, value })
  }
  return bound
}

export function parameterTexts(bound: readonly BindParameter[]): (string | null)[] {
  return bound.map(({ value }) => (value === null ? null : Buffer.from(value).toString('utf8')))
}
