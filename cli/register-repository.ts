/** The commands about repositories and manifests; none of these needs a running control plane but `plan --live`. */
import { type Command, Option } from 'commander';
import { outputOption } from './print/format.ts';
import type { WebhookFlags } from './webhook-settings.ts';

export interface RepositoryOptions {
  readonly output?: string;
  readonly branch?: string;
}

/** Adds `init check render plan up quickstart hook`. */
export function registerRepository(plumb: Command, version: string): void {
  plumb
    .command('init')
    .description('make a GitOps repository with a first app, or with --bare one to push to')
    .argument('[dir]', 'the folder to make', '.')
    .option('--bare', 'a bare repository whose hooks validate a push and print its plan')
    .option('--follow', 'with --bare: a push stays to show its rollout until it is healthy; Ctrl-C leaves it to go on')
    .option('-b, --branch <name>', 'the branch that is applied', 'main')
    .addHelpText(
      'after',
      '\nExample:\n  plumb init shop && plumb init --bare shop.git\n  cd shop && git remote add origin ../shop.git && git push -u origin main',
    )
    .action(async (dir: string, options: { bare?: boolean; follow?: boolean; branch: string }) =>
      (await import('./commands/init.ts')).init(dir, options),
    );

  plumb
    .command('check')
    .description('validate manifests, offline: FILE:LINE:COL CODE message')
    .argument('[dir]', 'a folder of manifests, or a repository', '.')
    .option('--rev <rev>', 'check this commit instead of the files in the folder')
    .addOption(outputOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExamples:\n  plumb check\n  plumb check shop.git --rev main -o json\nExits 1 when there are errors.',
    )
    .action(async (dir: string, options: { rev?: string; output?: string }) =>
      (await import('./commands/check.ts')).check(dir, options),
    );

  plumb
    .command('render')
    .description('print what Apps are made into by Kustomize and Helm, offline')
    .argument('[app]', 'name of an App (default: all of them)')
    .argument('[dir]', 'a folder of manifests, or a repository', '.')
    .option('--rev <rev>', 'render this commit instead of the files in the folder')
    .addOption(outputOption('text', 'json'))
    .addHelpText(
      'after',
      '\nExamples:\n  plumb render web\n  plumb render web shop.git --rev main\nExits 1 when an App has errors.',
    )
    .action(async (app: string | undefined, dir: string, options: { rev?: string; output?: string }) =>
      (await import('./commands/render.ts')).render(app, dir, options),
    );

  plumb
    .command('plan')
    .description('show what would change')
    .argument('[dir]', 'a work tree or repository', '.')
    .option('--from <rev>', 'the state to start from (default: the upstream branch, or HEAD)')
    .option(
      '--to <rev>',
      'the commit to plan (default: the files in the folder; with --live the branch that is followed, as it was pushed)',
    )
    .option(
      '--live',
      'against the live state of the running control plane, with where new pods would go, whom they would preempt, which would not fit and which updates would stand still',
    )
    .addOption(outputOption('text', 'json', 'markdown'))
    .addHelpText(
      'after',
      '\nExamples:\n  plumb plan                         # uncommitted and unpushed changes\n  plumb plan --from HEAD~3 --to HEAD -o markdown\n  plumb plan --live --to my-branch   # before it is merged\nWhat would not fit or would stand still is warned of; that does not change the exit code.',
    )
    .action(
      async (dir: string, options: { from?: string; to?: string; live?: boolean; output?: string }, command: Command) =>
        (await import('./commands/plan.ts')).plan(dir, { ...options, ...command.optsWithGlobals<{ home?: string }>() }),
    );

  plumb
    .command('up')
    .description('run the control plane, in the foreground, until Ctrl-C')
    .option(
      '--repo <path|url>',
      'the repository that says what should run (default: the one in the home folder, or the current folder)',
    )
    .option('-b, --branch <name>', "the branch to apply (default: what the repository's HEAD names)")
    .option('--tag <name>', 'apply what this tag names, in place of a branch')
    .option('--semver <range>', "apply the tag with the highest version in this range, such as '^1.2'")
    .option(
      '--redis <url>',
      'use this Redis: redis://, rediss://, unix:// or redis+sentinel://HOST:PORT,HOST:PORT/MASTER (default: PLUMB_REDIS_URL, or a private redis-server of its own)',
    )
    .option(
      '--ssh-key <file>',
      'private key that the machines, and a repository behind SSH, accept (default: ssh/id_ed25519 in the home folder, made when missing, for the machines; your own for the repository)',
    )
    .option(
      '--age-key <file>',
      'age identities that encrypted Secrets are opened with (default: age.key in the home folder; read anew when it changes)',
    )
    .option('--source <name>', 'name of the Source object', 'main')
    .option(
      '--webhook <address:port>',
      'hear pushes from GitHub, GitLab, Gitea, Forgejo or Bitbucket at /webhook there; PORT alone is on loopback',
    )
    .option('--webhook-secret <file>', 'file with the secret that the forge has too')
    .option('--webhook-cert <file>', 'PEM certificate, to serve webhooks with TLS')
    .option('--webhook-key <file>', 'PEM key of that certificate')
    .option(
      '--install',
      'with systemd: as a service with a user of its own that starts with the machine; see docs/install.md',
    )
    .option('--uninstall', 'take that service off this machine; its keys and what it kept stay')
    .addHelpText(
      'after',
      '\nExamples:\n  plumb up --repo shop.git\n  plumb up --repo https://git.example.com/shop.git --branch main --redis redis://10.0.0.5:6379\n  plumb up --repo https://git.example.com/shop.git --semver ">=1.0.0 <2.0.0"\n  plumb up --repo git@git.example.com:shop.git --ssh-key ~/.ssh/shop\n  plumb up --install --repo /srv/shop.git' +
        '\nHTTPS: the password or token of the repository is taken from PLUMB_GIT_PASSWORD; a private certificate authority from the file that NODE_EXTRA_CA_CERTS names.' +
        '\nRedis: its password is taken from PLUMB_REDIS_PASSWORD, that of the sentinels from PLUMB_REDIS_SENTINEL_PASSWORD.' +
        "\nSSH: the host's key must be in ~/.ssh/known_hosts.",
    )
    .action(
      async (
        options: {
          repo?: string;
          branch?: string;
          tag?: string;
          semver?: string;
          redis?: string;
          sshKey?: string;
          ageKey?: string;
          source: string;
          install?: boolean;
          uninstall?: boolean;
        } & WebhookFlags,
        command: Command,
      ) => {
        const { install, uninstall, ...given } = {
          ...options,
          ...command.optsWithGlobals<{ home?: string }>(),
          version,
        };
        if (install) await (await import('./commands/up-install.ts')).installService(given);
        else if (uninstall) await (await import('./commands/up-install.ts')).uninstallService();
        else await (await import('./commands/up.ts')).up(given);
      },
    );

  plumb
    .command('upgrade')
    .description('put this version, or that of a package, in the place of the installed control plane; agents follow')
    .argument('[package]', 'tarball that `npm pack` made, or a folder (default: the package that this program is of)')
    .option('--back', 'to the version before')
    .addHelpText(
      'after',
      '\nExamples:\n  npx ./plumbline-0.2.0.tgz upgrade\n  plumb upgrade plumbline-0.2.0.tgz\n  plumb upgrade --back\nA version that does not answer is replaced by the one before at once.',
    )
    .action(async (path: string | undefined, options: { back?: boolean }) =>
      (await import('./commands/up-install.ts')).upgrade({
        ...options,
        ...(path !== undefined && { package: path }),
      }),
    );
  plumb
    .command('service-unit', { hidden: true })
    .action(async () => (await import('./commands/up-install.ts')).printUnit());

  plumb
    .command('quickstart')
    .description('a lab of three hosts, a repository, a control plane and a first app on this machine')
    .option('--dir <dir>', 'folder for the repository and its checkout', '/var/lib/plumbline-quickstart')
    .option('--down', 'remove every trace of it')
    .addHelpText(
      'after',
      '\nExamples:\n  plumb quickstart\n  plumb quickstart --down\nNeeds root. From a clean clone use `npm run quickstart`, which installs what is missing first.',
    )
    .action(async (options: { dir: string; down?: boolean }, command: Command) =>
      (await import('./quickstart.ts')).quickstart({ ...options, ...command.optsWithGlobals<{ home?: string }>() }),
    );

  plumb
    .command('hook', { hidden: true })
    .argument('<name>', 'pre-receive or post-receive')
    .addOption(new Option('--rev <commit>'))
    .addOption(new Option('--branch <name>').default('main'))
    .action(async (name: string, options: { branch: string; rev?: string }, command: Command) =>
      (await import('./commands/hook.ts')).hook(name, { ...options, ...command.optsWithGlobals<{ home?: string }>() }),
    );
}
