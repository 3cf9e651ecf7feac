import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DETECTORS, type Detector, type MaskSpec } from './spec.ts'
import { maskText } from './testing.ts'

const detect = (...detectors: Detector[]): MaskSpec => ({
  kind: 'detect',
  detectors: detectors.length === 0 ? DETECTORS : detectors,
})

describe('detectors', () => {
  test.each([
    ['card 4111 1111 1111 1111.', 'card [redacted:card].'],
    ['card 4111-1111-1111-1111', 'card [redacted:card]'],
    ['Order 12345 4111111111111111 paid', 'Order 12345 [redacted:card] paid'],
    ['amex 378282246310005', 'amex [redacted:card]'],
    ['4111111111111112 fails Luhn', '4111111111111112 fails Luhn'],
    ['write to Jane.Doe+x@mail.example.co.uk.', 'write to [redacted:email].'],
    ['<jane@example.com>, <j@b.de>', '<[redacted:email]>, <[redacted:email]>'],
    ['a@b and user@localhost', 'a@b and user@localhost'],
    ['call +49 (0)30 1234567 today', 'call [redacted:phone] today'],
    ['call (415) 555-2671 now', 'call [redacted:phone] now'],
    ['call 1-415-555-2671', 'call [redacted:phone]'],
    ['0049 30 123456', '[redacted:phone]'],
    ['order 4155552671 is no phone', 'order 4155552671 is no phone'],
    ['IBAN DE89 3704 0044 0532 0130 00, thanks', 'IBAN [redacted:iban], thanks'],
    ['GB82WEST12345698765432', '[redacted:iban]'],
    ['DE88370400440532013000 fails mod 97', 'DE88370400440532013000 fails mod 97'],
    ['ssn 078-05-1120', 'ssn [redacted:ssn]'],
    ['123456789 and 000-12-3456 and 900-12-3456', '123456789 and 000-12-3456 and 900-12-3456'],
    ['key sk-proj-abcdefghijklmnop1234', 'key [redacted:api-key]'],
    ['AKIAIOSFODNN7EXAMPLE', '[redacted:api-key]'],
    ['ghp_abcdefghijklmnopqrstuvwxyz0123456789', '[redacted:api-key]'],
    ['x=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY9', 'x=[redacted:api-key]'],
    ['6f9619ff-8b86-d011-b42d-00cf4fc964ff', '6f9619ff-8b86-d011-b42d-00cf4fc964ff'],
    [
      'this-is-a-long-dashed-sentence-of-words-2024',
      'this-is-a-long-dashed-sentence-of-words-2024',
    ],
    ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_1', 'jwt [redacted:jwt]'],
    [
      '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- ok',
      '[redacted:api-key] ok',
    ],
    ['2024-05-06 07:08:09 at 10.0.0.1', '2024-05-06 07:08:09 at 10.0.0.1'],
    ['', ''],
  ])('%s', (value, expected) => {
    expect(maskText(detect(), value)).toBe(expected)
  })

  test('only the chosen ones work', () => {
    expect(maskText(detect('email'), '4111111111111111 j@b.de')).toBe(
      '4111111111111111 [redacted:email]',
    )
  })

  test('inside JSON they look at keys, strings and numbers', () => {
    const text = '{"jane@example.com": [4111111111111111, "call +14155552671", true, 7]}'
    expect(maskText(detect(), text, 3802)).toBe(
      '{"[redacted:email]": [0, "call [redacted:phone]", true, 7]}',
    )
  })

  test('a card number is found wherever it stands in a text', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z ,;:\n]{0,40}$/),
        fc.stringMatching(/^[a-z ,;:\n]{0,40}$/),
        (before, after) => {
          const text = `${before} 4111111111111111 ${after}`
          expect(maskText(detect('card'), text)).toBe(`${before} [redacted:card] ${after}`)
        },
      ),
    )
  })

  test('a hundred kilobytes of hostile text take no longer than a moment', () => {
    for (const unit of [
      '@',
      'a@',
      '+1',
      '1 ',
      '1',
      'eyJ.',
      '-----BEGIN ',
      'DE89',
      'a-',
      '(',
      'sk-',
    ]) {
      const text = unit.repeat(100_000 / unit.length)
      const before = process.cpuUsage()
      maskText(detect(), text)
      // Processor time, so that a busy machine changes nothing; quadratic work takes far longer.
      expect(process.cpuUsage(before).user / 1000).toBeLessThan(3_000)
    }
  })
})
