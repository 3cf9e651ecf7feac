import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJsonPath } from './json-path.ts'
import { checkPattern } from './regex-safety.ts'
import type { MaskSpec } from './spec.ts'
import { maskText } from './testing.ts'

describe('partial', () => {
  const keep = (keepFirst: number, keepLast: number, more: object = {}): MaskSpec =>
    ({ kind: 'partial', keepFirst, keepLast, char: '*', sameLength: true, ...more }) as MaskSpec
  test.each([
    ['4111111111111111', keep(0, 4), '************1111'],
    ['Jürgen', keep(1, 1), 'J****n'],
    ['日本語テキスト', keep(1, 1), '日*****ト'],
    ['12345', keep(0, 4), '*****'],
    ['', keep(1, 1), '*'],
    ['4111111111111111', keep(0, 4, { sameLength: false }), '***1111'],
    ['abcdef', keep(1, 0, { char: '•' }), 'a•••••'],
  ])('%s becomes as expected', (value, spec, expected) => {
    expect(maskText(spec, value)).toBe(expected)
  })
})

describe('email', () => {
  test.each([
    ['jane.doe@example.com', 'j***@***.com'],
    ['j@example.co.uk', '***@***.uk'],
    ['örs@example.de', 'ö***@***.de'],
    ['"a@b"@example.org', '"***@***.org'],
    ['jane@localhost', 'j***@***'],
    ['jane@10.0.0.1', 'j***@***'],
    ['not an address', '[redacted]'],
    ['jane@', '[redacted]'],
    ['@example.com', '***@***.com'],
  ])('%s becomes %s', (value, expected) => {
    expect(maskText({ kind: 'email' }, value)).toBe(expected)
  })
})

describe('hash and tokenize', () => {
  const hash = (domain = ''): MaskSpec => ({ kind: 'hash', domain, salt: 'none' })
  test('equal values hash alike, other values and other domains differently', () => {
    expect(maskText(hash(), 'a')).toBe(maskText(hash(), 'a'))
    expect(maskText(hash(), 'a')).not.toBe(maskText(hash(), 'b'))
    expect(maskText(hash(), 'a')).not.toBe(maskText(hash('x'), 'a'))
    expect(maskText(hash(), 'a')).toMatch(/^[0-9a-f]{32}$/)
  })

  test('char(n) hashes without its padding', () => {
    expect(maskText(hash(), 'ab   ', 1042)).toBe(maskText(hash(), 'ab', 1042))
  })

  test('the cache changes nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 70 }), { maxLength: 30 }), (values) => {
        const first = values.map((value) => maskText(hash(), value))
        expect(values.map((value) => maskText(hash(), value))).toEqual(first)
      }),
    )
  })

  const token: MaskSpec = { kind: 'tokenize', domain: '', salt: 'none' }
  test('a token has the shape of its value and is never the value', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9 .-]{1,80}$/), (value) => {
        const masked = maskText(token, value) ?? ''
        const shape = (text: string) =>
          text.replace(/[0-9]/g, '9').replace(/[a-z]/g, 'a').replace(/[A-Z]/g, 'A')
        expect(masked).not.toBe(value)
        if (/[A-Za-z0-9]/.test(value)) expect(shape(masked)).toBe(shape(value))
        else expect(masked).toBe('[redacted]')
      }),
    )
  })
})

describe('json', () => {
  const json = (paths: string[], mask: MaskSpec = { kind: 'redact' }): MaskSpec => ({
    kind: 'json',
    paths,
    mask,
  })
  test.each([
    ['{"phone":"1","x":"1"}', ['$.phone'], '{"phone":"[redacted]","x":"1"}'],
    ['{"ph\\u006fne":"1"}', ['$.phone'], '{"ph\\u006fne":"[redacted]"}'],
    ['{"phone":1,"phone":2}', ['$.phone'], '{"phone":0,"phone":0}'],
    [
      '{"a":{"b":[{"c":1,"d":2},{"c":null}]}}',
      ['$.a.b[*].c'],
      '{"a":{"b":[{"c":0,"d":2},{"c":null}]}}',
    ],
    ['{"a":[[1,2],[3]]}', ['$.a[1]'], '{"a":[[1,2],"[redacted]"]}'],
    [
      '{"address":{"street":"x","no":5},"n":1e400}',
      ['$.address.*'],
      '{"address":{"street":"[redacted]","no":0},"n":1e400}',
    ],
    [
      '{"a":{"z":{"ssn":true}},"ssn":"s"}',
      ['$..ssn'],
      '{"a":{"z":{"ssn":false}},"ssn":"[redacted]"}',
    ],
    ['{"odd name":"x"}', ["$['odd name']"], '{"odd name":"[redacted]"}'],
    ['"bare"', ['$'], '"[redacted]"'],
    ['{"a":1', ['$.b'], '"[redacted]"'],
    ['{"a":01}', ['$.b'], '"[redacted]"'],
    ["{'a':1}", ['$.b'], '"[redacted]"'],
    ['{"a":1} {"phone":2}', ['$.phone'], '"[redacted]"'],
    [`${'['.repeat(200)}${']'.repeat(200)}`, ['$.b'], '"[redacted]"'],
  ])('%s with %j', (value, paths, expected) => {
    expect(maskText(json(paths), value, 3802)).toBe(expected)
  })

  test('an inner mask works on unescaped characters and escapes what it writes', () => {
    const mask: MaskSpec = {
      kind: 'partial',
      keepFirst: 1,
      keepLast: 0,
      char: '*',
      sameLength: true,
    }
    expect(maskText(json(['$.a'], mask), '{"a":"\\"\\u00e9\\n"}', 114)).toBe('{"a":"\\"**"}')
  })

  test('whatever the document and path, the result is JSON and holds no value at the path', () => {
    const secret = 'SECRET'
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue(),
        fc.dictionary(fc.string(), tie('node')),
        fc.array(tie('node')),
      ),
    })).node
    fc.assert(
      fc.property(tree, (value) => {
        const text = JSON.stringify({
          other: value,
          list: [{ phone: secret }],
          deep: { phone: [secret, value] },
        })
        const masked = maskText(json(['$..phone']), text, 114) ?? ''
        expect(masked).not.toContain(secret)
        expect(() => JSON.parse(masked)).not.toThrow()
      }),
    )
  })

  test('a document no path touches comes out byte for byte', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(maskText(json(['$.never.there']), text, 114)).toBe(text)
      }),
    )
  })

  test.each(['a.b', '$.', '$.a[', '$[-1]', '$.a..', '$x y', ''])('refuses the path %j', (path) => {
    expect(typeof parseJsonPath(path)).toBe('string')
  })
})

describe('regex', () => {
  const regex = (
    pattern: string,
    replacement: string,
    otherwise: 'redact' | 'keep' = 'redact',
  ): MaskSpec => ({
    kind: 'regex',
    pattern,
    replacement,
    flags: 'gu',
    otherwise,
  })
  test('replaces every match', () => {
    expect(maskText(regex('\\d{3}-(\\d{2})', '###-$1'), '123-45 and 678-90')).toBe(
      '###-45 and ###-90',
    )
  })

  test('a cell without a match is redacted, or kept where policy says so', () => {
    expect(maskText(regex('\\d', '#'), 'none')).toBe('[redacted]')
    expect(maskText(regex('\\d', '#', 'keep'), 'none')).toBe('none')
  })

  test('a cell longer than the pattern may look at is redacted', () => {
    expect(maskText(regex('a+b', 'x', 'keep'), 'a'.repeat(10_000))).toBe('[redacted]')
  })

  test.each([
    '(a+)+',
    '(a|b)*',
    '(a|a)+b',
    '(?:a*)*',
    '(\\d+){2,9}',
    '(?:a?){40}',
    '(x)\\1',
    '(?=a)b',
    'a+b+c+',
    '(',
    '(?<n>a)\\k<n>',
    '((a{1,9}){1,9}){1,9}',
  ])('refuses %s', (pattern) => {
    expect(checkPattern(pattern)).not.toBeNull()
  })

  test.each([
    '^(\\w)\\w*$',
    '\\d{3}-\\d{2}-(\\d{4})',
    '(?:\\d{1,3}\\.){3}\\d{1,3}',
    '[A-Z]{2}\\p{L}+',
    'a|b|c',
    '[\\]a]+x',
  ])('accepts %s', (pattern) => {
    expect(checkPattern(pattern)).toBeNull()
  })
})
