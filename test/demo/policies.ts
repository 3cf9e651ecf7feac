/**
 * The demo's policies: the starters of policies/, this folder's policies/demo.yaml, and the schemas and
 * cases beside them.
 *
 * A starter's masks are written to stand alone, for everybody. Put side by side, the stricter of two masks
 * would hold for both roles, and the demo would have nothing to compare. So here each starter's masks get a
 * `who`: the analysts' for people, the agent's for machines. Together they still cover everybody. Only lines
 * are added; comments and order stay.
 */
import { access, cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMap, isSeq, type Node, parseDocument } from 'yaml'

const STARTERS = new URL('../../policies/', import.meta.url)
const OWN = new URL('policies/', import.meta.url)

/** Whom the masks of a starter are for; null: the file is taken as it is. */
const MASKS_FOR: Readonly<Record<string, 'human' | 'machine' | null>> = {
  'analyst-read-only.yaml': 'human',
  'agent-masked-pii.yaml': 'machine',
  'dba.yaml': null,
}
/** dba.cases.yaml stays behind: beside the agent's file, its `updates need a WHERE` also holds for DBAs. */
const CASES = ['analyst-read-only.cases.yaml', 'agent-masked-pii.cases.yaml']

/** Writes them; files that are there already (edited by somebody) stay as they are. */
export async function writePolicies(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [file, kind] of Object.entries(MASKS_FOR)) {
    const text = await readFile(new URL(file, STARTERS), 'utf8')
    await writeNew(join(folder, file), kind === null ? text : withMasksFor(text, kind))
  }
  for (const file of [...CASES, 'schema.json', 'cases.schema.json']) {
    await copyNew(new URL(file, STARTERS), join(folder, file))
  }
  for (const file of ['demo.yaml', 'demo.cases.yaml', 'shop.yaml']) {
    await copyNew(new URL(file, OWN), join(folder, file))
  }
}

/** The same text with `who: { kind: … }` behind the `with:` of every mask, and a word about it on top. */
export function withMasksFor(text: string, kind: 'human' | 'machine'): string {
  const masks = parseDocument(text).get('masks')
  if (!isSeq(masks)) throw new Error('a starter policy without masks')
  let result = text
  // From the end, so that the places found stay where they are.
  for (const mask of masks.items.toReversed()) {
    if (!isMap(mask) || mask.has('who')) throw new Error('a mask that has a `who` already')
    const end = (mask.get('with', true) as Node | undefined)?.range?.[1]
    if (end === undefined) throw new Error('a mask without `with`')
    result = `${result.slice(0, end)}\n    who: { kind: ${kind} }${result.slice(end)}`
  }
  const note =
    `# The starter of this name, for the demo: its masks have \`who: { kind: ${kind} }\`, so that the analyst\n` +
    '# and the agent see different masks. Edit it: the gateway takes it up at once.\n'
  return note + result
}

async function writeNew(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: 'wx' }).catch(unlessThere)
}

async function copyNew(from: URL, to: string): Promise<void> {
  if (await exists(to)) return
  await cp(from, to)
}

export async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
