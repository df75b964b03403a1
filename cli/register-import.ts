/** `plumb import`, by where something comes from. */
import { type Command, InvalidArgumentError } from 'commander';
import { parseQuantity } from '../contracts/objects/index.ts';
import { outputOption } from './print/format.ts';
import type { ImportComposeOptions, ImportHelmOptions, ImportOptions } from './commands/import.ts';

const AFTER =
  '\nWithout --out the result is shown and nothing is written. What could not be carried over is told on stderr,' +
  '\nas FILE:LINE:COL CODE message; docs/import.md says what becomes what. Exits 1 where something has to be mended.';

export function registerImport(plumb: Command): void {
  const command = plumb
    .command('import')
    .description('make a repository of what another program reads: argocd, flux, helm, compose');

  withTarget(
    command
      .command('compose')
      .description('the services of a compose file')
      .argument('[dir|file]', 'a folder with a compose file, or the file', '.'),
  )
    .option('--name <project>', "the project, and its namespace (default: the file's name, or the folder's)")
    .option('--profile <name>', 'with services of this profile too; may be given again, * is all', collect, [])
    .option('--volume-size <quantity>', 'what claims ask for', quantity, '1Gi')
    .option('--plain-secrets', 'write Secrets too, with their values in plain text')
    .addHelpText('after', `\nExample:\n  plumb import compose shop --out fleet${AFTER}`)
    .action(async (source: string, options: ImportComposeOptions) =>
      (await import('./commands/import.ts')).importComposeFile(source, options),
    );

  withTarget(
    command
      .command('flux')
      .description('a repository that Flux reads: Kustomizations and HelmReleases become Apps, the tree stays')
      .argument('[dir]', 'the root of the repository', '.'),
  )
    .option('--cluster <dir>', 'folder of the cluster, where there are several: clusters/production')
    .addHelpText(
      'after',
      `\nExamples:\n  plumb import flux fleet --cluster clusters/home --out fleet-plumb\n  plumb import flux . --out .   # in a clean checkout${AFTER}`,
    )
    .action(async (source: string, options: ImportOptions & { readonly cluster?: string }) =>
      (await import('./commands/import.ts')).importFluxFolder(source, options),
    );

  withTarget(
    command
      .command('argocd')
      .description('a repository that Argo CD reads: Applications and ApplicationSets become Apps, the tree stays')
      .argument('[dir]', 'the root of the repository', '.'),
  )
    .addHelpText('after', `\nExample:\n  plumb import argocd fleet --out fleet-plumb${AFTER}`)
    .action(async (source: string, options: ImportOptions) =>
      (await import('./commands/import.ts')).importArgoFolder(source, options),
    );

  withTarget(
    command
      .command('helm')
      .description('a release of Helm: its values as an App, or its manifests')
      .argument('<file>', 'a file of values, or what `helm get values|manifest|all NAME` printed'),
  )
    .option('--chart <url>', 'https://HOST/PATH/NAME or oci://HOST/PATH/NAME')
    .option('--chart-version <version>', 'one version, no range')
    .option('--name <release>', "the release (default: what the file says, or the file's name)")
    .option('-n, --namespace <name>', 'where it is')
    .addHelpText(
      'after',
      `\nExample:\n  helm get values shop -o yaml > shop.yaml\n  plumb import helm shop.yaml --chart https://charts.example.com/web --chart-version 1.2.3 -n shop --out fleet${AFTER}`,
    )
    .action(async (source: string, options: ImportHelmOptions) =>
      (await import('./commands/import.ts')).importHelmFile(source, options),
    );
}

function withTarget(command: Command): Command {
  return command
    .option('--out <dir>', 'write there: into an empty folder, or a checkout without changes')
    .option('--force', 'write over files that are there')
    .addOption(outputOption('json'));
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function quantity(text: string): string {
  let amount: number;
  try {
    amount = parseQuantity(text);
  } catch {
    amount = NaN;
  }
  if (!(amount > 0)) throw new InvalidArgumentError('It is no quantity such as 1Gi.');
  return text;
}
