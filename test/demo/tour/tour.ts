/** The tour: every chapter in order, against a running demo. */
import type { RunningDemo } from '../demo.ts'
import { accessChapter } from './access.ts'
import { auditChapter } from './audit.ts'
import { plantCanaries } from './canaries.ts'
import { tourOver } from './context.ts'
import { maskChapter } from './masks.ts'
import type { Narrator } from './narrator.ts'
import { recordingChapter } from './recording.ts'
import { refusalChapter } from './refusals.ts'
import { reloadChapter } from './reload.ts'
import { secrecyChapter } from './secrecy.ts'
import { sessionChapter } from './sessions.ts'
import { shopChapter } from './shop.ts'
import { startTap } from './tap.ts'
import { tokenChapter } from './tokens.ts'

const CHAPTERS = [
  tokenChapter,
  maskChapter,
  refusalChapter,
  sessionChapter,
  reloadChapter,
  secrecyChapter,
  shopChapter,
  recordingChapter,
  accessChapter,
  // Last: it stops the gateway.
  auditChapter,
]

/** Every chapter in order; what one throws is a broken promise and the next one goes on. */
export async function runTour(demo: RunningDemo, narrator: Narrator): Promise<void> {
  const { plainPort } = demo
  if (plainPort === null) throw new Error('the tour needs the listener without TLS')
  const canaries = await plantCanaries(demo.server, demo.database)
  const [tap, dbaTap] = [await startTap(plainPort), await startTap(plainPort)]
  const tour = tourOver({ demo, narrator, canaries, tap, dbaTap })
  try {
    for (const chapter of CHAPTERS) {
      await chapter(tour).catch((error: unknown) => {
        narrator.promise('the chapter runs to its end', false, error)
      })
    }
  } finally {
    await tap.close()
    await dbaTap.close()
  }
}
