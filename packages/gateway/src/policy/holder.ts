/**
 * The policy in force: loaded from files, reloaded when they change, kept when a new one is bad.
 */
import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { glob } from 'node:fs/promises'
import { dirname } from 'node:path'
import { compilePolicy, formatPolicyError, type Policy, type PolicyError } from '@sallyport/policy'

/** Editors write in several steps: how long files must be still before they are read, ms. */
const SETTLE_MS = 150
const POLICY_BYTES_MAX = 4 * 1024 * 1024

export type PolicyEvent =
  | { readonly kind: 'loaded'; readonly policy: Policy; readonly files: readonly string[] }
  | { readonly kind: 'rejected'; readonly errors: readonly PolicyError[] }

export class PolicyLoadError extends Error {
  readonly errors: readonly PolicyError[]

  constructor(errors: readonly PolicyError[]) {
    super(errors.map(formatPolicyError).join('\n'))
    this.name = 'PolicyLoadError'
    this.errors = errors
  }
}

/** Reads and compiles; `patterns` are absolute paths or globs. Throws PolicyLoadError. */
export async function loadPolicy(
  patterns: readonly string[],
): Promise<{ policy: Policy; files: readonly string[] }> {
  const files = await expand(patterns)
  const texts = files.map((path) => ({ path, text: readText(path) }))
  const compiled = compilePolicy(texts)
  if (compiled.kind === 'errors') throw new PolicyLoadError(compiled.errors)
  return { policy: compiled.policy, files }
}

export class PolicyHolder {
  readonly #patterns: readonly string[]
  readonly #onEvent: (event: PolicyEvent) => void
  readonly #watchers: FSWatcher[] = []
  readonly #listeners: (() => void)[] = []
  #policy: Policy
  #timer: NodeJS.Timeout | undefined

  constructor(patterns: readonly string[], policy: Policy, onEvent: (event: PolicyEvent) => void) {
    this.#patterns = patterns
    this.#policy = policy
    this.#onEvent = onEvent
  }

  /** Throws PolicyLoadError when the first load fails. */
  static async open(
    patterns: readonly string[],
    onEvent: (event: PolicyEvent) => void,
  ): Promise<PolicyHolder> {
    const { policy, files } = await loadPolicy(patterns)
    const holder = new PolicyHolder(patterns, policy, onEvent)
    onEvent({ kind: 'loaded', policy, files })
    holder.#watch()
    return holder
  }

  get policy(): Policy {
    return this.#policy
  }

  /** Reads the files now; on any error the policy in force stays. True when another one is in force. */
  async reload(): Promise<boolean> {
    try {
      const { policy, files } = await loadPolicy(this.#patterns)
      if (policy.version === this.#policy.version) return false
      this.#policy = policy
      this.#onEvent({ kind: 'loaded', policy, files })
      for (const listener of this.#listeners) listener()
      return true
    } catch (error) {
      const errors =
        error instanceof PolicyLoadError
          ? error.errors
          : [unreadable(this.#patterns[0] ?? '', error)]
      this.#onEvent({ kind: 'rejected', errors })
      return false
    }
  }

  /** Called after another policy has come into force. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const watcher of this.#watchers) watcher.close()
  }

  #watch(): void {
    const folders = new Set(this.#patterns.map((pattern) => dirname(pattern)))
    for (const folder of folders) {
      if (folder.includes('*')) continue
      const watcher = watch(folder, { persistent: false }, () => {
        clearTimeout(this.#timer)
        this.#timer = setTimeout(() => void this.reload(), SETTLE_MS)
      })
      watcher.on('error', () => watcher.close())
      this.#watchers.push(watcher)
    }
  }
}

async function expand(patterns: readonly string[]): Promise<string[]> {
  const files: string[] = []
  for (const pattern of patterns) {
    if (!pattern.includes('*')) {
      files.push(pattern)
      continue
    }
    const found: string[] = []
    for await (const path of glob(pattern)) {
      if (!path.endsWith('.cases.yaml')) found.push(path)
    }
    if (found.length === 0) throw new PolicyLoadError([problem(pattern, 'no policy file matches')])
    files.push(...found.sort())
  }
  return files
}

function readText(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new PolicyLoadError([unreadable(path, error)])
  }
  if (text.length > POLICY_BYTES_MAX) {
    throw new PolicyLoadError([problem(path, `is over ${POLICY_BYTES_MAX} bytes`)])
  }
  return text
}

function unreadable(path: string, error: unknown): PolicyError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
  return problem(path, `cannot be read (${code})`)
}

function problem(path: string, message: string): PolicyError {
  return { code: 'value', path, line: 1, column: 1, message, suggestion: null }
}
