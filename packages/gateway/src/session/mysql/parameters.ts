/** Parameters of a COM_STMT_EXECUTE as text; null for NULL. Query attributes are not among them. */
import type { Parameters } from '@sallyport/protocol-mysql'

export function readParameters(parameters: Parameters): (string | null)[] {
  const texts: (string | null)[] = []
  for (let i = 0; i < parameters.markers; i++) texts.push(parameters.text(i))
  return texts
}
