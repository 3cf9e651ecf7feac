#!/usr/bin/env node
/** Connects the command line to this process. bin/sallyport.js comes here once Node is new enough. */
import process from 'node:process'
import { EXIT } from './errors.ts'
import { Output } from './output.ts'
import { runCli } from './program.ts'

for (const stream of [process.stdout, process.stderr]) {
  // Whoever read our output (`| head`) has seen enough.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.internal)
  })
}

process.exitCode = await runCli(process.argv.slice(2), {
  out: new Output({ stdout: process.stdout, stderr: process.stderr, env: process.env }),
  env: process.env,
  stdin: process.stdin,
  now: Date.now,
  stop: new AbortController().signal,
})
