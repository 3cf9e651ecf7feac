import { describe, expect, test } from 'vitest'
import { saslprep } from './saslprep.ts'

describe('SASLprep', () => {
  test.each([
    ['ASCII stays, control characters too', 'a\x01 ~', 'a\x01 ~'],
    ['RFC 4013 example 1: soft hyphen goes', 'I\u00adX', 'IX'],
    ['RFC 4013 example 4: a compatibility character', '\u00aa', 'a'],
    ['RFC 4013 example 5: a Roman numeral', '\u2168', 'IX'],
    ['a space that is not ASCII becomes one that is', 'a\u00a0b\u3000c', 'a b c'],
    ['composed and decomposed are one', 'e\u0301', '\u00e9'],
    ['Hebrew stays', '\u05d0\u05d1', '\u05d0\u05d1'],
  ])('%s', (_name, password, prepared) => {
    expect(saslprep(password)).toBe(prepared)
  })

  test.each([
    ['a control character beside others', '\u00aa\x07'],
    ['a private character', '\u00aa\ue000'],
    ['a character newer than Unicode 3.2', '\u00aa\u{1f600}'],
    ['left-to-right among right-to-left', '\u06271\u00aa\u0627'],
    ['right-to-left that ends otherwise', '\u06271\u2168'],
    ['nothing left', '\u00ad'],
  ])('a password with %s is used as it is', (_name, password) => {
    expect(saslprep(password)).toBe(password)
  })
})
