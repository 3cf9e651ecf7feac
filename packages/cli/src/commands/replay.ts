/** `sallyport replay`. */
import type { Command } from 'commander'
import type { Cli } from '../context.ts'
import type { Exit } from '../program.ts'
import type { ReplayFlags } from '../replay/flags.ts'

const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
]

export function addReplayCommand(program: Command, cli: Cli, exit: Exit): void {
  program
    .command('replay [session]')
    .summary(
      'shows a session again: in the terminal, as data, on another database, under another policy',
    )
    .description(
      'SESSION is a session’s id (its first 8 characters do). On a terminal it plays in its own time: space ' +
        'pauses, n steps, + and - change the speed, / searches on, q ends.',
    )
    .option(
      '-c, --config <file>',
      'configuration that names the audit directory and the key of recordings',
    )
    .option('-d, --dir <directory>', 'the audit directory itself')
    .option('--recordings <directory>', 'where recordings lie, when the configuration does not say')
    .option('--key-file <file>', 'the key of encrypted recordings: 32 bytes in base64')
    .option('--speed <factor>', 'how much faster, or max (default 1 on a terminal, else max)')
    .option('--idle <duration>', 'the longest wait (default 2s)')
    .option('--rows <n>', 'rows of a result that are drawn, or all (default 50)')
    .option('--json', 'one step a line as JSON; with --against and --policy one difference a line')
    .option('--csv', 'the results as CSV')
    .option('--statement <seq>', 'with --csv: only the results of this statement')
    .option('--asciicast', 'asciicast v2, for asciinema')
    .option(
      '--against <url>',
      'run its statements on this scratch database (postgres:, mysql:, mariadb:), and compare',
    )
    .option('--policy <file>', 'what this policy would have decided; several files merge', collect)
    .option(
      '--catalog <file>',
      'with --policy: schema from `policy catalog` instead of the database',
    )
    .option('--search-path <schemas>', 'with --policy: schemas names are looked up in (public)')
    .option('--since <time>', 'with --policy and no session: every statement from then')
    .option('--until <time>', 'up to, not included')
    .option('--subject <name>', 'of the period, only this subject’s')
    .option('--connection <name>', 'of the period, only on this connection')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport replay 0f5d3c9a -c sallyport.yaml --speed 4
  $ sallyport replay 0f5d3c9a -c sallyport.yaml --asciicast > session.cast
  $ sallyport replay 0f5d3c9a -c sallyport.yaml --against postgres://localhost/scratch
  $ sallyport replay -c sallyport.yaml --policy next.yaml --since 7d

Exit codes: 0 shown, or no difference; 1 differences, or no such session; 2 wrong flags`,
    )
    .action(async (session: string | undefined, flags: ReplayFlags) => {
      const { replay } = await import('../replay/run.ts')
      exit(await replay(session, flags, cli))
    })
}
