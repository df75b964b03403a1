/** `plumb lab ...` on the command line. */
import type { Command } from 'commander';
import { outputOption, printData } from '../print/format.ts';
import { print, progress } from '../print/terminal.ts';
import { table } from '../print/table.ts';
import { LabRefusal } from '../../lab/errors.ts';
import {
  LAB_DIR_VARIABLE,
  labDown,
  labHeal,
  labPartition,
  labPowerOff,
  labPowerOn,
  labSsh,
  labStatus,
  labUp,
  type LabInfo,
} from '../../lab/lab.ts';
import { DEFAULT_SUBNET } from '../../lab/settings.ts';

interface PlaceOptions {
  readonly dir?: string;
  readonly name?: string;
  readonly output?: string;
}

/** Adds `lab up|down|status|ssh|power-off|power-on|partition|heal`. Failures are thrown with an `exitCode`. */
export function registerLabCommand(plumb: Command): void {
  const lab = plumb
    .command('lab')
    .description('the local multi-host lab: real hosts on this machine, to try Plumbline on and to break')
    .enablePositionalOptions()
    .addHelpText(
      'after',
      [
        '',
        'A host of the lab is a set of namespaces with its own network, processes, disk, sshd and containerd. Hosts are named node-1, node-2, ...;',
        `they reach each other, the machine and the lab's registry (registry.lab), and nothing else. Needs root, on Linux.`,
        '',
        'Examples:',
        '  plumb lab up --nodes 3',
        '  plumb lab ssh node-1',
        '  plumb lab power-off node-2     # as if its plug were pulled',
        '  plumb lab down                 # leaves no trace',
      ].join('\n'),
    );

  place(lab.command('up'))
    .description('bring the lab up, or say that it is up')
    .option('--nodes <n>', 'how many hosts (default: 3)', count)
    .option('--subnet <cidr>', `addresses of the hosts, inside 198.18.0.0/15 (default: ${DEFAULT_SUBNET})`)
    .option('--no-registry', 'without the image registry')
    .addOption(outputOption('text', 'json'))
    .addHelpText('after', '\nA second lab beside the first: plumb lab up --name other --subnet 198.18.1.0/24')
    .action(async (options: PlaceOptions & { nodes?: number; subnet?: string; registry: boolean }) => {
      const info = await interruptible((signal) =>
        labUp({
          dir: options.dir,
          name: options.name,
          signal,
          progress,
          ...(options.nodes === undefined ? {} : { nodes: options.nodes }),
          ...(options.subnet === undefined ? {} : { subnet: options.subnet }),
          ...(options.registry ? {} : { registry: false }),
        }),
      );
      await show(info, options.output);
    });

  place(lab.command('down'))
    .description('take the lab down: processes, mounts, network devices, cgroups and files; also after a crash')
    .action(async (options: PlaceOptions) => {
      if (!(await labDown({ dir: options.dir, name: options.name, progress })))
        progress('there is no lab to take down');
    });

  place(lab.command('status'))
    .description('show the hosts: up, off or partitioned')
    .addOption(outputOption('text', 'json'))
    .addHelpText('after', '\nExits 1 unless every host is up and the registry answers.')
    .action(async (options: PlaceOptions) => {
      const status = await labStatus(options);
      await show(status, options.output);
      if (status.nodes.some((node) => node.state !== 'up') || (status.registry && !status.registryUp))
        process.exitCode = 1;
    });

  place(lab.command('ssh'))
    .description('a shell, or a command, on a host over ssh')
    .argument('<node>', 'such as node-1')
    .argument('[command...]', 'run this instead of a shell')
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nExamples:\n  plumb lab ssh node-1\n  plumb lab ssh node-1 ctr -n k8s.io containers ls\nExits with what the command exits with.',
    )
    .action(async (node: string, argv: string[], options: PlaceOptions) => {
      process.exitCode = await labSsh({ ...options, node, argv });
    });

  onNode(
    lab,
    'power-off',
    'cut the power of a host: it goes silent at once, only its disk stays',
    'is off',
    labPowerOff,
  );
  onNode(lab, 'power-on', 'boot a host that is off', 'is up', (options) =>
    interruptible((signal) => labPowerOn({ ...options, signal })),
  );
  onNode(lab, 'partition', 'drop all traffic of a host, which runs on', 'is cut off from the network', labPartition);
  onNode(lab, 'heal', 'end a partition', 'is back on the network', labHeal);
}

function place(command: Command): Command {
  return command
    .option('--dir <dir>', `the lab's folder, on a disk (default: ${LAB_DIR_VARIABLE}, or /var/lib/plumbline-lab)`)
    .option('--name <name>', 'name of the lab, which begins the names of its network devices (default: plumb)');
}

function onNode(
  lab: Command,
  word: string,
  does: string,
  done: string,
  change: (options: PlaceOptions & { node: string }) => Promise<void>,
): void {
  place(lab.command(word))
    .description(does)
    .argument('<node>', 'such as node-1')
    .action(async (node: string, options: PlaceOptions) => {
      await change({ ...options, node });
      progress(`${node} ${done}`);
    });
}

async function show(info: LabInfo, format: string | undefined): Promise<void> {
  if (await printData(info, format)) return;
  await print(
    `${table(
      ['NAME', 'ADDRESS', 'STATE'],
      info.nodes.map((node) => [node.name, node.address, node.state]),
    )}\n`,
  );
  if (info.registry)
    progress(`images: ${info.registry.name}/hello:1 and others; push your own to ${info.registry.address}`);
}

/** Runs `work` with a signal that Ctrl-C and SIGTERM abort, so that it can clear away what it began. */
async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(new Error('interrupted'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new LabRefusal(`--nodes takes a whole number, not '${text}'.`);
  return Number(text);
}
