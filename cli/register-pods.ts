/** The commands about running pods and their containers. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { DebugOptions } from './commands/debug.ts';
import type { LogsOptions } from './commands/logs.ts';
import type { TopNodeOptions, TopPodOptions } from './commands/top.ts';
import { withHome } from './home.ts';
import { durationSeconds, outputOption, wholeNumber } from './print/format.ts';

/** Adds `logs exec attach debug port-forward cp top`. */
export function registerPods(plumb: Command): void {
  plumb
    .command('logs')
    .description('what containers printed')
    .argument('[pod]', 'a pod, or deploy/NAME for its first pod')
    .option('-n, --namespace <name>', 'the namespace', 'default')
    .option('-c, --container <name>', 'which container (default: the first)')
    .option('--all-containers', 'of all containers: init containers first, those of `plumb debug` last')
    .option('-l, --selector <labels>', 'of all pods with these labels, instead of one: key=value,key2=value2')
    .option('-f, --follow', 'as it is printed')
    .option('-p, --previous', "of the container's run before this one")
    .option('--since <duration>', 'only what was printed in the last 90s, 5m or 1h30m', durationSeconds)
    .option('--since-time <time>', 'only what was printed since then, such as 2026-01-31T09:00:00Z')
    .option(
      '--tail <lines>',
      'the last lines only; -1 for all (default: all, and 10 of each pod with --selector)',
      tailLines,
    )
    .option('--timestamps', 'each line with its time')
    .option('--prefix', 'each line with its pod and container')
    .option('--max-log-requests <n>', 'follow at most so many at once', wholeNumber, 5)
    .addHelpText(
      'after',
      '\nExamples:\n  plumb logs -f --tail 20 deploy/web\n  plumb logs -l app=web --all-containers --prefix --since 10m',
    )
    .action(async (pod: string | undefined, options: Omit<LogsOptions, 'home'>, command: Command) =>
      (await import('./commands/logs.ts')).logs(pod, withHome(options, command)),
    );

  plumb
    .command('exec')
    .description('run a command in a container')
    .argument('<pod>', 'a pod, or deploy/NAME for its first pod')
    .argument('<command...>', 'after `--`')
    .option('-n, --namespace <name>', 'the namespace', 'default')
    .option('-c, --container <name>', 'which container (default: the first)')
    .option('-i, --stdin', 'pass standard input')
    .option('-t, --tty', 'as a terminal')
    .addHelpText(
      'after',
      '\nExample:\n  plumb exec -it web-5d4f -- sh\nExits with the exit code of the command. A command that is left when the connection ends goes on in the container, as with kubectl.',
    )
    .action(
      async (
        pod: string,
        words: string[],
        options: { namespace: string; container?: string; stdin?: boolean; tty?: boolean },
        command: Command,
      ) => (await import('./commands/exec.ts')).exec(pod, words, withHome(options, command)),
    );

  plumb
    .command('attach')
    .description("a running container's own output, from now on, and with -i its input")
    .argument('<pod>', 'a pod, or deploy/NAME for its first pod')
    .option('-n, --namespace <name>', 'the namespace', 'default')
    .option('-c, --container <name>', 'which container (default: the first)')
    .option('-i, --stdin', 'pass standard input, to a container with `stdin: true`')
    .option('-t, --tty', 'as a terminal, of a container with `tty: true`')
    .addHelpText(
      'after',
      '\nExample:\n  plumb attach -it shell-0\nWhat was printed before is in `plumb logs`. Ends with the container, or with Ctrl-C where that is not its input.',
    )
    .action(
      async (
        pod: string,
        options: { namespace: string; container?: string; stdin?: boolean; tty?: boolean },
        command: Command,
      ) => (await import('./commands/attach.ts')).attach(pod, withHome(options, command)),
    );

  plumb
    .command('debug')
    .description('put a container into a running pod, for a look at it')
    .argument('<pod>', 'a pod, or deploy/NAME for its first pod')
    .argument('[command...]', "after `--`, instead of the image's own")
    .requiredOption('--image <image>', 'what it is made of')
    .option('-n, --namespace <name>', 'the namespace', 'default')
    .option('-c, --container <name>', 'its own name (default: debugger-XXXXX)')
    .option('--target <container>', 'see the processes of that container')
    .option('-i, --stdin', 'attach to it, with standard input')
    .option('-t, --tty', 'with a terminal')
    .addHelpText(
      'after',
      '\nExample:\n  plumb debug -it pod/web-0 --image busybox --target web -- sh\nIt is in no manifest, and no sync takes it away. It asks for no room, is not started again, and stays in the pod when it has ended.',
    )
    .action(async (pod: string, words: string[], options: Omit<DebugOptions, 'home'>, command: Command) =>
      (await import('./commands/debug.ts')).debug(pod, words, withHome(options, command)),
    );

  plumb
    .command('port-forward')
    .description('ports of this machine, each joined to one of a pod; over the SSH connection to its node')
    .argument('<target>', 'a pod, deploy/NAME for its first pod, or svc/NAME for a pod behind it')
    .argument('<port...>', 'LOCAL:REMOTE, :REMOTE for any local port, or PORT for both; REMOTE also by name')
    .option('-n, --namespace <name>', 'the namespace', 'default')
    .addOption(
      new Option('--address <addresses>', 'where to listen, separated by commas')
        .argParser(commaSeparated)
        .default(['localhost'], 'localhost'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  plumb port-forward deploy/web 8080:80\n  plumb port-forward svc/web :http\nThe connection ends on the loopback address within the pod, whatever it listens on there.',
    )
    .action(
      async (target: string, ports: string[], options: { namespace: string; address: string[] }, command: Command) =>
        (await import('./commands/port-forward.ts')).portForward(target, ports, withHome(options, command)),
    );

  plumb
    .command('cp')
    .description('copy files and folders to and from a container, which needs a program `tar`')
    .argument('<from>', 'a path here, or [NAMESPACE/]POD:PATH')
    .argument('<to>', 'the other of the two')
    .option('-n, --namespace <name>', 'the namespace', 'default')
    .option('-c, --container <name>', 'which container (default: the first)')
    .option(
      '--no-preserve',
      'owner and permissions of files that it makes are those that the container gives to new ones',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  plumb cp ./site web-5d4f:/srv\n  plumb cp shop/db-0:/backup/dump.sql dump.sql\nFrom a container, links are left out, and nothing is written outside of the target.',
    )
    .action(
      async (
        from: string,
        to: string,
        options: { namespace: string; container?: string; preserve: boolean },
        command: Command,
      ) => (await import('./commands/cp.ts')).cp(from, to, withHome(options, command)),
    );

  registerTop(plumb);
}

function tailLines(text: string): number | 'all' {
  return text === '-1' ? 'all' : wholeNumber(text);
}

function commaSeparated(text: string): string[] {
  const parts = text.split(',').filter((part) => part !== '');
  if (parts.length === 0) throw new InvalidArgumentError('It names none.');
  return parts;
}

function registerTop(plumb: Command): void {
  const top = plumb.command('top').description('what nodes and pods take of cpu and memory: `plumb top node|pod`');
  const sortBy = (): Option => new Option('--sort-by <resource>', 'the largest first').choices(['cpu', 'memory']);
  top
    .command('node')
    .aliases(['nodes', 'no'])
    .description('of nodes, and how much that is of what pods may take there')
    .argument('[name]', 'one node (default: all)')
    .option('-l, --selector <labels>', 'only nodes with these labels: key=value,key2=value2')
    .addOption(sortBy())
    .option('--no-headers', 'rows only')
    .addOption(outputOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExample:\n  plumb top node --sort-by memory\nMeasured when it is run, over two seconds or since it was run last.',
    )
    .action(async (name: string | undefined, options: Omit<TopNodeOptions, 'home'>, command: Command) =>
      (await import('./commands/top.ts')).topNode(name, withHome(options, command)),
    );
  top
    .command('pod')
    .aliases(['pods', 'po'])
    .description('of pods: cpu, and memory that the kernel cannot take back')
    .argument('[name]', 'one pod (default: all of the namespace)')
    .option('-n, --namespace <name>', 'the namespace', 'default')
    .option('-A, --all-namespaces', 'in every namespace')
    .option('-l, --selector <labels>', 'only pods with these labels: key=value,key2=value2')
    .option('--containers', 'each container by itself')
    .addOption(sortBy())
    .option('--no-headers', 'rows only')
    .addOption(outputOption('text', 'json'))
    .addHelpText('after', '\nExamples:\n  plumb top pod -A --sort-by cpu\n  plumb top pod web-5d4f --containers')
    .action(async (name: string | undefined, options: Omit<TopPodOptions, 'home'>, command: Command) =>
      (await import('./commands/top.ts')).topPod(name, withHome(options, command)),
    );
}
