/** Frames of a fault that are kept. */
const FRAMES_MAX = 8

/** What an unexpected error says to the operator: its kind and where, not its message, which may quote a text. */
export function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return [error.name, ...frames.slice(0, FRAMES_MAX)].join('\n')
}
