/** `sallyport policy …`: check, explain, test, schema, catalog and suggest. */
import type { Command } from 'commander'
import type { Cli } from '../context.ts'
import type {
  CatalogFlags,
  CheckFlags,
  ExplainFlags,
  SuggestFlags,
  TestFlags,
} from '../policy/flags.ts'
import type { Exit } from '../program.ts'

const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
]

export function addPolicyCommands(program: Command, cli: Cli, exit: Exit): void {
  const policy = program
    .command('policy')
    .summary('check, explain and test policies')
    .description(
      'Works on files alone; only --config with a live schema, and `suggest`, reach a database.',
    )
    .addHelpText('after', '\nExamples:\n  $ sallyport policy check policies/*.yaml')
  addCheck(policy, cli, exit)
  addExplain(policy, cli, exit)
  addTest(policy, cli, exit)
  addSchema(policy, cli)
  addCatalog(policy, cli, exit)
  addSuggest(policy, cli, exit)
}

function addCheck(policy: Command, cli: Cli, exit: Exit): void {
  policy
    .command('check [files...]')
    .summary('are these policy files right? Errors with line and column')
    .description('The files are merged, as the gateway merges them. Files of cases are left out.')
    .option('-c, --config <file>', 'check the policies that a configuration names')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport policy check policies/*.yaml
  $ sallyport policy check --config sallyport.yaml

Exit codes: 0 no errors, 1 errors, 2 a file cannot be read`,
    )
    .action(async (files: readonly string[], flags: CheckFlags) => {
      const { check } = await import('../policy/check.ts')
      exit(await check(files, flags, cli))
    })
}

function addExplain(policy: Command, cli: Cli, exit: Exit): void {
  policy
    .command('explain <sql>')
    .summary('what happens to a statement, and why')
    .description(
      'Decides SQL (- reads it from stdin) as the gateway would, and shows the verdict, the rules behind ' +
        'it and where each result column comes from. The schema is read live with --config, or from a ' +
        'file that `policy catalog` wrote; nothing is executed.',
    )
    .option('-p, --policy <file>', 'policy file; may be given several times', collect)
    .option('-c, --config <file>', 'configuration: its policies, roles and connections')
    .option('--catalog <file>', 'schema snapshot instead of the live schema')
    .option('--connection <name>', 'connection, or connection/database (default: the only one)')
    .option('--as <subject>', 'who asks (default someone)')
    .option('--group <name>', 'a group of the subject; may be given several times', collect)
    .option('--role <name>', 'the role it takes')
    .option('--kind <kind>', 'human or machine (default human)')
    .option('--graph <name>', 'verified graph')
    .option('--node <name>', 'verified node')
    .option('--run <id>', 'verified run')
    .option('--claim <name=value>', 'a claim; may be given several times', collect)
    .option('--token-file <file>', 'with --config: as the principal of this token')
    .option('--search-path <schemas>', 'where unqualified names are looked up (default public)')
    .option('--at <time>', 'for conditions that read the clock (default now)')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport policy explain "SELECT email FROM customers" -c sallyport.yaml --connection crm --group analysts
  $ sallyport policy explain "DELETE FROM orders" -p crm.yaml --catalog crm.json --connection crm --as etl --kind machine
  $ sallyport policy explain - -c sallyport.yaml --token-file jwt < query.sql

Exit codes: 0 allowed, 1 denied or held for approval, 2 wrong flags or files, 3 the database cannot be reached`,
    )
    .action(async (sql: string, flags: ExplainFlags) => {
      const { explainStatement } = await import('../policy/explain.ts')
      exit(await explainStatement(sql, flags, cli))
    })
}

function addTest(policy: Command, cli: Cli, exit: Exit): void {
  policy
    .command('test <cases...>')
    .summary('run your own cases against policies')
    .description(
      'NAME.cases.yaml is run against NAME.yaml beside it unless --policy or --config says otherwise. ' +
        'The schema comes from --catalog, from the databases of --config, or from catalog.json beside ' +
        'the cases; without any, names cannot be resolved and masks cannot be tested.',
    )
    .option('-p, --policy <file>', 'policy file; may be given several times', collect)
    .option('-c, --config <file>', 'configuration: its policies, and the schemas of its databases')
    .option(
      '--catalog <[connection=]file>',
      'schema snapshot, for all connections or one; may be given several times',
      collect,
    )
    .option('--search-path <schemas>', 'where unqualified names are looked up (default public)')
    .option('--failed', 'list only what failed')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sallyport policy test policies/*.cases.yaml --catalog crm.json
  $ sallyport policy test crm.cases.yaml --policy crm.yaml --config sallyport.yaml

Exit codes: 0 all passed, 1 a case failed or a file has errors, 2 wrong flags, 3 a database cannot be reached`,
    )
    .action(async (files: readonly string[], flags: TestFlags) => {
      const { testCases } = await import('../policy/cases.ts')
      exit(await testCases(files, flags, cli))
    })
}

function addSchema(policy: Command, cli: Cli): void {
  policy
    .command('schema')
    .summary('print the JSON Schema of policy files')
    .option('--cases', 'of files of cases')
    .addHelpText('after', '\nExample:\n  $ sallyport policy schema > policy.schema.json')
    .action(async ({ cases }: { readonly cases?: boolean }) => {
      const { CASES_SCHEMA, POLICY_SCHEMA } = await import('@sallyport/policy')
      cli.out.json(cases === true ? CASES_SCHEMA : POLICY_SCHEMA)
    })
}

function addCatalog(policy: Command, cli: Cli, exit: Exit): void {
  policy
    .command('catalog')
    .summary('print a database’s schema for explain and test without the database')
    .description(
      'Relations, columns, view definitions and functions, as JSON on stdout. It holds no row of any ' +
        'table, but texts of views and generated columns.',
    )
    .requiredOption('-c, --config <file>', 'configuration')
    .option('--connection <name>', 'connection, or connection/database (default: the only one)')
    .addHelpText(
      'after',
      `
Example:
  $ sallyport policy catalog -c sallyport.yaml --connection crm > crm.json

Exit codes: 0 printed, 2 wrong flags or configuration, 3 the database cannot be reached`,
    )
    .action(async (flags: CatalogFlags) => {
      const { printCatalog } = await import('../policy/catalog.ts')
      exit(await printCatalog(flags, cli))
    })
}

function addSuggest(policy: Command, cli: Cli, exit: Exit): void {
  policy
    .command('suggest')
    .summary('masks for columns that look sensitive, to read and keep what is right')
    .description(
      'Looks at the names of all columns, and at some rows of every table, and prints `masks` for a policy ' +
        'file with the reasons. Values are looked at here and never printed; it needs SELECT with the ' +
        'schema reader’s credential, and says which tables it could not read.',
    )
    .requiredOption('-c, --config <file>', 'configuration')
    .option('--connection <name>', 'connection, or connection/database (default: the only one)')
    .option('--rows <n>', 'rows of each table to look at (default 200)')
    .option('--no-samples', 'names only: no row is read')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Example:
  $ sallyport policy suggest -c sallyport.yaml --connection crm > masks.yaml

Exit codes: 0 printed, 1 nothing looks sensitive, 2 wrong flags or configuration, 3 the database cannot be reached`,
    )
    .action(async (flags: SuggestFlags) => {
      const { suggest } = await import('../policy/suggest.ts')
      exit(await suggest(flags, cli))
    })
}
