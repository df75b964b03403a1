/** The commands about a running cluster and its machines. */
import { Option, type Command } from 'commander';
import type { DoctorOptions } from './commands/doctor.ts';
import type { DeletePodOptions } from './commands/get.ts';
import type { NodeAddOptions } from './commands/node-add.ts';
import type { NodeCleanOptions } from './commands/node-clean.ts';
import { withHome } from './home.ts';
import { outputOption, wholeNumber } from './print/format.ts';
import { registerPods } from './register-pods.ts';

/** Adds `status get history rollback explain blame delete doctor rebalance net node`, and what register-pods.ts adds. */
export function registerCluster(plumb: Command): void {
  plumb
    .command('status')
    .description('revision, sync, health and nodes, and why not')
    .option('-w, --wait', 'until the newest revision is applied and everything in it is healthy')
    .option('--timeout <seconds>', 'give up waiting after this long', wholeNumber, 300)
    .addOption(new Option('--at <rev>', 'how an earlier revision stood, by its id').conflicts('wait'))
    .addOption(outputOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExamples:\n  git push && plumb status --wait --timeout 120\n  git bisect run sh -c \'plumb status --at "$(git rev-parse HEAD)"\'\nExits 0 only when the newest revision is applied and everything in it is healthy; with --at, when everything in that one was, at the last look or when the next one took its place.',
    )
    .action(async (options: { wait?: boolean; timeout: number; at?: string; output?: string }, command: Command) =>
      options.at === undefined
        ? (await import('./commands/status.ts')).status(withHome(options, command))
        : (await import('./commands/history.ts')).statusAt(options.at, withHome(options, command)),
    );

  plumb
    .command('get')
    .description("live objects, in kubectl's columns")
    .argument('<kind>', 'pods, deploy, svc, nodes, ... or KIND/NAME, or `all`')
    .argument('[name]', 'one object (default: all of the kind)')
    .option('-n, --namespace <name>', 'the namespace', 'default')
    .option('-A, --all-namespaces', 'in every namespace')
    .option('-l, --selector <labels>', 'only objects with these labels: key=value,key2=value2')
    .option('--reveal', "show a Secret's values (with its name only)")
    .option('--show-managed-fields', 'with -o json or yaml: also who owns which field')
    .addOption(outputOption('wide', 'json', 'yaml', 'name'))
    .addHelpText('after', '\nExamples:\n  plumb get pods -A -o wide\n  plumb get deploy/web -o yaml')
    .action(
      async (
        kind: string,
        name: string | undefined,
        options: {
          namespace: string;
          allNamespaces?: boolean;
          selector?: string;
          reveal?: boolean;
          showManagedFields?: boolean;
          output?: string;
        },
        command: Command,
      ) => (await import('./commands/get.ts')).get(kind, name, withHome(options, command)),
    );

  plumb
    .command('history')
    .description('revisions and what became of them, newest first; of one, also why it failed')
    .argument('[rev]', "the beginning of a revision's id")
    .option('--limit <n>', 'at most this many', wholeNumber, 20)
    .addOption(outputOption('text', 'json'))
    .addHelpText('after', '\nExamples:\n  plumb history --limit 5\n  plumb history 3f2c1ab')
    .action(async (rev: string | undefined, options: { limit: number; output?: string }, command: Command) =>
      (await import('./commands/history.ts')).history(rev, withHome(options, command)),
    );

  plumb
    .command('rollback')
    .description('commit the manifests of an earlier revision on top of the branch, and push it')
    .argument('[rev]', 'a revision (default: the last one in force before the current one that had not failed)')
    .option('-m, --message <text>', 'the commit message')
    .addOption(outputOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExamples:\n  plumb rollback\n  plumb rollback 3f2c1ab -m "Back to the version before the sale"',
    )
    .action(async (rev: string | undefined, options: { message?: string; output?: string }, command: Command) =>
      (await import('./commands/history.ts')).rollback(rev, withHome(options, command)),
    );

  plumb
    .command('explain')
    .description(
      'why: commit, file and line, conditions, pods, why they are on their node or on none, runtime error, last log lines; of a Service the way of a packet',
    )
    .argument('<kind/name>', 'such as deploy/web or pod/web-5d4f')
    .option('-n, --namespace <name>', 'the namespace', 'default')
    .addOption(outputOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExample:\n  plumb explain deploy/web\n  plumb explain pod/web-5d4f   # the best nodes by score, or why each node would not have it\n  plumb explain service/web    # addresses, the rules of each node, endpoints and why each is in or out, policies',
    )
    .action(async (target: string, options: { namespace: string; output?: string }, command: Command) =>
      (await import('./commands/explain.ts')).explain(target, withHome(options, command)),
    );

  plumb
    .command('blame')
    .description('which commit made an object what it is: commit, author, file and line; of a pod, by its template')
    .argument('<kind/name>', 'such as deploy/web or pod/web-5d4f')
    .option('-n, --namespace <name>', 'the namespace', 'default')
    .addOption(outputOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  plumb blame pod/web-5d4f')
    .action(async (target: string, options: { namespace: string; output?: string }, command: Command) =>
      (await import('./commands/blame.ts')).blame(target, withHome(options, command)),
    );

  plumb
    .command('delete')
    .description('delete a pod; its controller makes another (anything else is deleted in Git)')
    .argument('<pod/name>', 'such as pod/web-5d4f')
    .option('-n, --namespace <name>', 'the namespace', 'default')
    .option('--cascade <way>', 'what becomes of objects that it owns: background, foreground or orphan')
    .option('--grace-period <seconds>', "how long it may take to end, instead of the pod's own", wholeNumber)
    .option('--force', 'do not wait for its node to say that it ended: it may go on running there')
    .addHelpText(
      'after',
      '\nExamples:\n  plumb delete pod/web-5d4f\n  plumb delete pod/db-1 --force   # its node is gone for good, and its power is off',
    )
    .action(async (target: string, options: Omit<DeletePodOptions, 'home'>, command: Command) =>
      (await import('./commands/get.ts')).deletePod(target, withHome(options, command)),
    );

  plumb
    .command('doctor')
    .description('what is missing on this machine, on a server or in a repository, and what to do; changes nothing')
    .option('--node <name|user@host>', 'look at a server over SSH: a machine of this checkout, or any other')
    .option('--repo <dir>', 'look at a repository, a checkout or a bare one')
    .option('--host-key <key>', 'of a server without a Machine file: the host key it must have, "TYPE BASE64"')
    .option('--yes', 'trust the host key that such a server shows')
    .option('--ssh-key <file>', "private key (default: the control plane's own)")
    .addOption(outputOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExamples:\n  plumb doctor\n  plumb doctor --node root@203.0.113.7\n  plumb doctor --repo /srv/shop.git\nExits 1 when something is missing.',
    )
    .action(async (options: Omit<DoctorOptions, 'home'>, command: Command) =>
      (await import('./commands/doctor.ts')).doctor(withHome(options, command)),
    );

  plumb
    .command('rebalance')
    .description(
      'running pods that should be on other nodes, where they would go, and why; with --apply they are evicted',
    )
    .option('--apply', 'evict them, as far as their disruption budgets allow at that time')
    .option(
      '--plugin <name...>',
      'only these plugins of the descheduler, such as LowNodeUtilization (default: those of the DeschedulerPolicy; without one RemoveDuplicates, LowNodeUtilization and RemovePodsViolatingTopologySpreadConstraint)',
    )
    .addOption(outputOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExamples:\n  plumb rebalance\n  plumb rebalance --plugin RemovePodsViolatingNodeAffinity --apply\nExits 1 when the DeschedulerPolicy has mistakes, or a pod of the plan was not evicted.',
    )
    .action(async (options: { apply?: boolean; plugin?: string[]; output?: string }, command: Command) =>
      (await import('./commands/rebalance.ts')).rebalance(withHome(options, command)),
    );

  plumb
    .command('net')
    .description('the network: `plumb net check`')
    .command('check')
    .description(
      'have nodes try whether nodes, pods, names and Services reach each other, and name what is broken; makes nothing and changes nothing',
    )
    .addOption(outputOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  plumb net check\nExits 1 when something is broken.')
    .action(async (options: { output?: string }, command: Command) =>
      (await import('./commands/net-check.ts')).netCheck(withHome(options, command)),
    );

  registerPods(plumb);
  registerNode(plumb);
}

function registerNode(plumb: Command): void {
  const node = plumb.command('node').description('machines: `plumb node ls|add|cordon|uncordon|drain|rm|clean`');
  node
    .command('ls')
    .description('machines and whether they are ready')
    .addOption(outputOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  plumb node ls')
    .action(async (options: { output?: string }, command: Command) =>
      (await import('./commands/node-list.ts')).nodeList(withHome(options, command)),
    );
  node
    .command('add')
    .description("pin a machine's host key, check the login, and write its Machine file")
    .argument('<user@host>', 'a server with sshd; [user@]host[:port]')
    .option('--name <name>', 'name of the Node (default: the first part of the host name)')
    .option('--host-key <key>', 'the host key to expect: `TYPE BASE64`')
    .option('-y, --yes', 'trust the key that the machine shows')
    .option('--ssh-key <file>', "private key to log in with (default: the control plane's)")
    .option('--internal-ip <address>', 'the address that other nodes reach it at')
    .option('--repo-dir <dir>', 'checkout to write the file in (default: the one around the current folder)')
    .option('--commit', 'commit the file')
    .option('--no-check', 'do not log in')
    .addOption(outputOption('text', 'json'))
    .addHelpText('after', '\nExample:\n  plumb node add root@203.0.113.7 --name node-1 --commit && git push')
    .action(async (destination: string, options: NodeAddOptions, command: Command) =>
      (await import('./commands/node-add.ts')).nodeAdd(destination, withHome(options, command)),
    );
  node
    .command('clean')
    .description(
      'take everything that Plumbline put on a machine off it again, except data of volumes; run it after its Machine file is gone from the repository',
    )
    .argument('<user@host>', 'the server; [user@]host[:port]')
    .option('--host-key <key>', 'the host key to expect: `TYPE BASE64`')
    .option('-y, --yes', 'trust the key that the machine shows')
    .option('--ssh-key <file>', "private key to log in with (default: the control plane's)")
    .addHelpText(
      'after',
      '\nExample:\n  plumb node rm node-1 --commit && git push && plumb node clean root@203.0.113.7',
    )
    .action(async (destination: string, options: NodeCleanOptions, command: Command) =>
      (await import('./commands/node-clean.ts')).nodeClean(destination, withHome(options, command)),
    );
  node
    .command('drain')
    .description(
      'no new pods, and those that run there move away as far as disruption budgets allow (a NoExecute taint in its file)',
    )
    .argument('<name>')
    .option('--repo-dir <dir>', 'checkout to edit (default: the one around the current folder)')
    .option('--commit', 'commit the change')
    .option(
      '-w, --wait',
      'edit nothing; wait until the pods of a drain that was pushed are gone, and say what keeps them',
    )
    .option('--timeout <seconds>', 'give up waiting after this long; 0 never does', wholeNumber, 0)
    .addHelpText(
      'after',
      '\nExample:\n  plumb node drain node-1 --commit && git push && plumb node drain node-1 --wait',
    )
    .action(
      async (
        name: string,
        options: { repoDir?: string; commit?: boolean; wait?: boolean; timeout: number },
        command: Command,
      ) => {
        if (options.wait)
          await (await import('./commands/node-drain.ts')).waitDrained(name, withHome(options, command));
        else await (await import('./commands/node-edit.ts')).nodeEdit('drain', name, options);
      },
    );
  for (const [verb, what] of [
    ['cordon', 'no new pods on this machine (spec.unschedulable in its file)'],
    ['uncordon', 'pods again on this machine; also ends a drain'],
    ['rm', 'remove its Machine file; once pushed, its pods move away and the machine is let go'],
  ] as const) {
    node
      .command(verb)
      .description(what)
      .argument('<name>')
      .option('--repo-dir <dir>', 'checkout to edit (default: the one around the current folder)')
      .option('--commit', 'commit the change')
      .addHelpText('after', `\nExample:\n  plumb node ${verb} node-1 --commit && git push`)
      .action(async (name: string, options: { repoDir?: string; commit?: boolean }) =>
        (await import('./commands/node-edit.ts')).nodeEdit(verb, name, options),
      );
  }
}
