/** Whole numbers in flags and in sentences. */
import { CliError } from './errors.ts'

/** Throws CliError `usage` unless `text` is a whole number from `min` to `max`. */
export function countOf(
  text: string,
  { flag, min, max }: { readonly flag: string; readonly min: number; readonly max: number },
): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) {
    throw new CliError('usage', `${flag} takes a whole number from ${min} to ${max}`)
  }
  return value
}

/** `1 rule`, `2 rules`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
