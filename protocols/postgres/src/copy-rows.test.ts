import type { CellMask } from '@sallyport/protocol-wire'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from './bytes.ts'
import { type CopyRowsOptions, CopyRowsRewriter, copyEncodingIsSafe } from './copy-rows.ts'
import { ProtocolError } from './errors.ts'
import { COLUMNS_MAX } from './limits.ts'

const seen: string[] = []

/** Writes `text`, and notes what it was shown. */
function constant(text: string): CellMask {
  const bytes = Buffer.from(text)
  return (src, start, end, out) => {
    seen.push(src.toString('utf8', start, end))
    out.ensure(bytes.length)
    bytes.copy(out.buf, out.at)
    out.at += bytes.length
    return bytes.length
  }
}

const toNull: CellMask = () => -1
const same: CellMask = (src, start, end, out) => {
  out.ensure(end - start)
  src.copy(out.buf, out.at, start, end)
  out.at += end - start
  return end - start
}

function run(options: CopyRowsOptions, ...chunks: (string | Buffer)[]): string {
  seen.length = 0
  const copy = new CopyRowsRewriter(options)
  const out = new ByteWriter()
  for (const chunk of chunks) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    copy.write(bytes, 0, bytes.length, out)
  }
  copy.end(out)
  return out.view().toString('utf8')
}

const text = (...columns: (CellMask | null)[]) => ({ format: 'text' as const, columns })
const csv = (...columns: (CellMask | null)[]) => ({ format: 'csv' as const, columns })

describe('text', () => {
  test('shows a mask the value itself and escapes what it writes', () => {
    expect(run(text(null, constant('a\tb\\\n')), '1\tx\\ty\\\\\\n\\b\\f\\v\\r\n')).toBe(
      '1\ta\\tb\\\\\\n\n',
    )
    expect(seen).toEqual(['x\ty\\\n\b\f\v\r'])
  })

  test('keeps NULL, and can make it', () => {
    expect(run(text(constant('x'), toNull), '\\N\ta\n\\N\t\\N\n')).toBe('\\N\t\\N\n\\N\t\\N\n')
    expect(seen).toEqual([])
  })

  test('takes NULL only as the whole field', () => {
    expect(run(text(constant('x')), '\\\\N\nN\n')).toBe('x\nx\n')
    expect(seen).toEqual(['\\N', 'N'])
  })

  test('masks a NULL text that a value could have, because the client chose it', () => {
    const options = { ...text(constant('x')), nullText: '123-45-6789' }
    expect(run(options, '123-45-6789\n')).toBe('x\n')
  })

  test('keeps an empty NULL text, which says nothing', () => {
    expect(run({ ...text(constant('x'), null), nullText: '' }, '\ta\n')).toBe('\ta\n')
  })

  test('takes columns none, many, and empty', () => {
    expect(run(text(), '\n\n')).toBe('\n\n')
    expect(run(text(null, constant('x'), null), '\t\t\n')).toBe('\tx\t\n')
  })

  test.each([
    ['a field too many', 'a\tb\tc\n', 'bad-count'],
    ['a field too few', 'a\n', 'bad-count'],
    ['an escape the server does not write', 'a\t\\x41\n', 'malformed-copy'],
    ['an octal escape', 'a\t\\101\n', 'malformed-copy'],
    ['a backslash at the end', 'a\tb\\\n', 'malformed-copy'],
    ['a bare carriage return', 'a\tb\r\n', 'malformed-copy'],
    ['a row without its end', 'a\tb', 'malformed-copy'],
  ])('refuses %s', (_name, stream, code) => {
    expect(() => run(text(null, constant('x')), stream)).toThrow(expect.objectContaining({ code }))
  })
})

describe('csv', () => {
  test('shows a mask the value itself and quotes what it writes only where it must', () => {
    expect(run(csv(null, constant('say "x"')), '1,"a ""b"", c"\n2,plain\n')).toBe(
      '1,"say ""x"""\n2,"say ""x"""\n',
    )
    expect(seen).toEqual(['a "b", c', 'plain'])
    expect(run(csv(constant('x')), '"a,b"\n')).toBe('x\n')
  })

  test('tells NULL from a value that looks like it', () => {
    expect(run(csv(constant('x'), constant('')), ',""\n')).toBe(',""\n')
    expect(seen).toEqual([''])
    const options = { ...csv(constant('x'), constant('x')), nullText: 'none' }
    expect(run(options, 'none,"none"\n')).toBe('none,x\n')
  })

  test('quotes `\\.` where it would be alone', () => {
    expect(run(csv(constant('\\.')), 'a\n')).toBe('"\\."\n')
    expect(run(csv(constant('\\.'), null), 'a,b\n')).toBe('\\.,b\n')
  })

  test('keeps rows together that hold line breaks', () => {
    expect(run(csv(constant('x'), null), '"a\nb","c\r\nd"\n')).toBe('x,"c\r\nd"\n')
  })

  test.each([
    ['a field too many', 'a,b,c\n', 'bad-count'],
    ['a field too few', 'a\n', 'bad-count'],
    ['a quote inside an unquoted field', 'a,b"c"\n', 'malformed-copy'],
    ['bytes after a closing quote', 'a,"b"c\n', 'malformed-copy'],
    ['a bare carriage return', 'a,b\r\n', 'malformed-copy'],
    ['a quote that never closes', 'a,"b\n', 'malformed-copy'],
    ['a row without its end', 'a,b', 'malformed-copy'],
  ])('refuses %s', (_name, stream, code) => {
    expect(() => run(csv(null, constant('x')), stream)).toThrow(expect.objectContaining({ code }))
  })

  test('refuses an escape before an ordinary character', () => {
    const options = { ...csv(constant('x')), escape: '\\' }
    expect(run(options, '"a\\"b\\\\"\n')).toBe('x\n')
    expect(seen).toEqual(['a"b\\'])
    expect(() => run(options, '"a\\b"\n')).toThrow(/escape/)
  })
})

describe('binary', () => {
  const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
  const TRAILER = Buffer.of(0xff, 0xff)
  const tuple = (...values: (string | null)[]): Buffer => {
    const count = Buffer.of(0, values.length)
    const cells = values.map((value) => {
      const bytes = Buffer.from(value ?? '')
      const length = Buffer.alloc(4)
      length.writeInt32BE(value === null ? -1 : bytes.length)
      return Buffer.concat([length, bytes])
    })
    return Buffer.concat([count, ...cells])
  }
  const binary = (...columns: (CellMask | null)[]) => ({ format: 'binary' as const, columns })
  const decoded = (...chunks: Buffer[]): string => Buffer.concat(chunks).toString('utf8')

  test('masks values and leaves header, NULLs and trailer as they are', () => {
    expect(
      run(
        binary(constant('xyz'), null, toNull),
        HEADER,
        tuple('a', 'b', 'c'),
        tuple(null, null, null),
        TRAILER,
      ),
    ).toBe(decoded(HEADER, tuple('xyz', 'b', null), tuple(null, null, null), TRAILER))
  })

  const other = Buffer.from(HEADER)
  other[0] = 0x51
  const flags = Buffer.from(HEADER)
  flags.writeInt32BE(1 << 16, 11)
  const extended = Buffer.from(HEADER)
  extended.writeInt32BE(0x7fff_ffff, 15)
  test.each([
    ['another signature', [other, TRAILER], 'malformed-copy'],
    ['critical flags', [flags, TRAILER], 'malformed-copy'],
    ['an extension over the cap', [extended], 'bad-length'],
    ['a tuple of another width', [HEADER, tuple('a')], 'bad-count'],
    ['a value of length -2', [HEADER, Buffer.from('0002fffffffe', 'hex')], 'bad-length'],
    ['bytes after the trailer', [HEADER, TRAILER, TRAILER], 'trailing-bytes'],
    ['no trailer', [HEADER, tuple('a', 'b')], 'malformed-copy'],
    ['nothing', [], 'malformed-copy'],
    ['half a tuple', [HEADER, tuple('a', 'b').subarray(0, 9)], 'malformed-copy'],
  ])('refuses %s', (_name, chunks, code) => {
    expect(() => run(binary(null, constant('x')), ...chunks)).toThrow(
      expect.objectContaining({ code }),
    )
  })
})

describe('the rewriter', () => {
  const value = fc.option(fc.string({ unit: 'grapheme', maxLength: 12 }))
  const table = fc.array(fc.tuple(value, value), { maxLength: 6 })
  const cuts = fc.array(fc.nat(200), { maxLength: 6 })

  function cutAt(bytes: Buffer, at: readonly number[]): Buffer[] {
    const ends = [...at.filter((end) => end < bytes.length).sort((a, b) => a - b), bytes.length]
    return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1]!, end))
  }

  function quoted(cell: string | null): string {
    if (cell === null) return ''
    return cell === '' || /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
  }

  test('gives a mask that changes nothing the same csv back, however it is cut', () => {
    fc.assert(
      fc.property(table, cuts, (rows, at) => {
        const stream = Buffer.from(rows.map((row) => `${row.map(quoted).join(',')}\n`).join(''))
        expect(run(csv(same, same), ...cutAt(stream, at))).toBe(stream.toString())
      }),
      { numRuns: 500 },
    )
  })

  const LETTERS = new Map([...'\b\f\n\r\t\v\\'].map((c, i) => [c, 'bfnrtv\\'[i]!]))
  function escaped(cell: string | null): string {
    if (cell === null) return '\\N'
    return cell.replaceAll(/[\b\f\n\r\t\v\\]/g, (c) => `\\${LETTERS.get(c)}`)
  }

  test('gives a mask that changes nothing the same text back, however it is cut', () => {
    fc.assert(
      fc.property(table, cuts, (rows, at) => {
        const stream = Buffer.from(rows.map((row) => `${row.map(escaped).join('\t')}\n`).join(''))
        expect(run(text(same, same), ...cutAt(stream, at))).toBe(stream.toString())
      }),
      { numRuns: 500 },
    )
  })

  test('writes whole rows only', () => {
    const copy = new CopyRowsRewriter(text(constant('x')))
    const out = new ByteWriter()
    copy.write(Buffer.from('se'), 0, 2, out)
    expect(out.at).toBe(0)
    copy.write(Buffer.from('cret\nnex'), 0, 8, out)
    expect(out.view().toString()).toBe('x\n')
  })

  test('writes nothing of a call that fails, and nothing ever after', () => {
    const copy = new CopyRowsRewriter(text(constant('x')))
    const out = new ByteWriter()
    expect(() => copy.write(Buffer.from('a\nb\tc\n'), 0, 6, out)).toThrow(ProtocolError)
    expect(out.at).toBe(0)
    for (const again of [() => copy.write(Buffer.from('a\n'), 0, 2, out), () => copy.end(out)]) {
      expect(again).toThrow(expect.objectContaining({ code: 'illegal-call' }))
    }
  })

  test.each([
    ['text', { ...text(null), rowBytesMax: 5 }],
    ['csv', { ...csv(null), rowBytesMax: 5 }],
  ])('takes a %s row at its cap and refuses one over, whole or not', (_name, options) => {
    expect(run(options, 'abcd\nabcd\n')).toBe('abcd\nabcd\n')
    expect(() => run(options, 'abcde\n')).toThrow(expect.objectContaining({ code: 'too-large' }))
    const copy = new CopyRowsRewriter(options)
    const out = new ByteWriter()
    copy.write(Buffer.from('abc'), 0, 3, out)
    expect(() => copy.write(Buffer.from('def'), 0, 3, out)).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })

  test('refuses a mask that does not write what it says', () => {
    const liar: CellMask = () => 3
    for (const options of [text(liar), csv(liar)]) {
      expect(() => run(options, 'a\n')).toThrow(
        expect.objectContaining({ code: 'mask-contract', side: 'local' }),
      )
    }
  })

  test.each([
    ['a delimiter of two characters', { ...text(null), delimiter: '||' }],
    ['a delimiter that is a letter', { ...text(null), delimiter: 'n' }],
    ['a delimiter that is not ASCII', { ...csv(null), delimiter: 'é' }],
    ['a quote that is the delimiter', { ...csv(null), quote: ',' }],
    ['a NULL text with the delimiter', { ...text(null), nullText: 'a\tb' }],
    ['a NULL text with a line break', { ...csv(null), nullText: '\n' }],
    ['forced quotes of another width', { ...csv(null), forceQuote: [true, true] }],
    ['too many columns', text(...new Array(COLUMNS_MAX + 1).fill(null))],
  ])('is not made with %s', (_name, options) => {
    expect(() => new CopyRowsRewriter(options)).toThrow(expect.objectContaining({ side: 'local' }))
  })

  test('gives rows or a ProtocolError on any bytes', () => {
    const bits = fc.array(fc.constantFrom('a', '\t', ',', '\n', '"', '\\', 'N', '\0', 'é'))
    const stream = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      bits.map((parts) => Buffer.from(parts.join(''))),
    )
    const options = fc.constantFrom<CopyRowsOptions>(text(same, null), csv(same, null), {
      format: 'binary',
      columns: [same, null],
    })
    fc.assert(
      fc.property(options, stream, cuts, (how, bytes, at) => {
        try {
          run(how, ...cutAt(bytes, at))
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('copyEncodingIsSafe', () => {
  test.each([
    ['UTF8', true],
    ['LATIN1', true],
    ['SQL_ASCII', true],
    ['EUC_JP', true],
    ['SJIS', false],
    ['sjis', false],
    ['Shift_JIS_2004', false],
    ['BIG5', false],
    ['GB18030', false],
    ['GBK', false],
    ['UHC', false],
    ['JOHAB', false],
  ])('%s: %s', (encoding, safe) => {
    expect(copyEncodingIsSafe(encoding)).toBe(safe)
  })
})
