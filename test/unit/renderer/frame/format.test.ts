import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bytes,
  clock,
  count,
  dateTime,
  duration,
  measure,
  parseNumber,
  percent,
  equalCodes,
  plural,
  showNumber,
} from '../../../../src-renderer/format'

describe('numbers for people', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [18_400_000, '18.4 MB'],
    [1_310_000_000, '1.3 GB'],
    [250_000_000_000, '250 GB'],
  ])('%d bytes are %s', (size, text) => expect(bytes(size)).toBe(text))

  it.each([
    [12, '12 ms'],
    [8000, '8 s'],
    [89_000, '89 s'],
    [840_000, '14 min'],
    [7_500_000, '2 h 5 min'],
    [7_200_000, '2 h'],
    [260_000_000, '3 days'],
  ])('%d ms are about %s', (ms, text) => expect(duration(ms)).toBe(text))

  it('counts down as a clock', () => {
    expect(clock(8000)).toBe('0:08')
    expect(clock(761_000)).toBe('12:41')
    expect(clock(3_750_000)).toBe('1:02:30')
    expect(clock(-5)).toBe('0:00')
  })

  it('keeps three digits of a measurement', () => {
    expect(measure(0.017234)).toBe('0.0172')
    expect(measure(23.68)).toBe('23.7')
    expect(measure(1234.5)).toBe('1,235')
    expect(measure(0.00001234)).toBe('1.2e-5')
    expect(measure(Number.NaN)).toBe('–')
  })

  it('writes shares, counts and dates', () => {
    expect(percent(0.763)).toBe('76 %')
    expect(percent(0.004)).toBe('0.4 %')
    expect(percent(0)).toBe('0 %')
    expect(count(16_384)).toBe('16,384')
    expect(plural(1, 'image')).toBe('1 image')
    expect(plural(5000, 'step')).toBe('5,000 steps')
    expect(equalCodes(12.4)).toBe('as if 12 codes were used equally')
    expect(equalCodes(1)).toBe('as if one code did all the work')
    const now = new Date('2026-03-01T00:00:00')
    expect(dateTime('2026-02-03T04:05:00', now)).toBe('3 Feb, 04:05')
    expect(dateTime('2025-02-03T04:05:00', now)).toMatch(/^3 Feb 2025/)
  })
})

describe('numbers from people', () => {
  it.each([
    ['5,000', 5000],
    ['5 000', 5000],
    ['3e-4', 3e-4],
    ['.5', 0.5],
    ['-2', -2],
    ['1,234,567.5', 1_234_567.5],
  ])('reads %s', (text, value) => expect(parseNumber(text)).toBe(value))

  it.each(['', 'abc', '1.2.3', '12px', '1,2', '--1'])('does not guess at "%s"', (text) => {
    expect(parseNumber(text)).toBeNull()
  })

  it('reads back whatever it shows', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: 0, max: 1e15 }), (value) => {
        expect(parseNumber(showNumber(value))).toBe(value)
      }),
    )
    fc.assert(
      fc.property(fc.integer(), (value) => {
        expect(parseNumber(showNumber(value))).toBe(value)
      }),
    )
  })
})
