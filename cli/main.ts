/**
 * `plumb`: the table of commands. Each command's code is loaded when it runs, so that help and the push hook start
 * fast.
 */
import { Command, CommanderError } from 'commander';
import { registerCluster } from './register-cluster.ts';
import { registerImport } from './register-import.ts';
import { registerRepository } from './register-repository.ts';
import { registerSecrets } from './register-secrets.ts';
import { describeFailure, exitCodeOf } from './failure.ts';
import { packageVersion } from './program-path.ts';
import { printNow, progress, surviveReaders, tell } from './print/terminal.ts';

function program(): Command {
  const version = packageVersion();
  const plumb = new Command('plumb')
    .description('A container orchestrator whose API is a Git repository')
    .configureOutput({ writeOut: printNow, writeErr: tell })
    .version(version, '-V, --version')
    .option('--home <dir>', "the control plane's home folder (default: PLUMB_HOME, or ~/.plumbline)")
    .showHelpAfterError('(add --help for what this command takes)')
    .addHelpText(
      'after',
      '\nFirst steps:\n  plumb init my-cluster            # manifests to start from\n  plumb init --bare my-cluster.git # a repository to push them to\n  plumb up --repo my-cluster.git   # the control plane\n  plumb status --wait',
    );
  registerRepository(plumb, version);
  registerImport(plumb);
  registerSecrets(plumb);
  registerCluster(plumb);
  return plumb;
}

/** Usage errors end with 2 wherever in the tree of commands they happen. */
function overrideExits(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExits(child);
}

async function main(argv: readonly string[]): Promise<number> {
  const plumb = program();
  if (argv[2] === 'lab' || argv[2] === undefined || argv[2].startsWith('-') || argv[2] === 'help') {
    const { registerLabCommand } = await import('./commands/lab.ts');
    registerLabCommand(plumb);
  }
  overrideExits(plumb);
  try {
    await plumb.parseAsync([...argv]);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    progress(describeFailure(error));
    if (process.env['PLUMB_DEBUG'] && error instanceof Error) progress(error.stack ?? '');
    return exitCodeOf(error);
  }
}

surviveReaders();
process.exitCode = await main(process.argv);
