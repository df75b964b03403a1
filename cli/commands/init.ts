/** `plumb init`: a repository to write manifests in, or one to push them to. */
import fs, { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import git from 'isomorphic-git';
import { HINT_FILE } from '../../reconciler/adapters/git/index.ts';
import { CliFailure } from '../failure.ts';
import { print } from '../print/terminal.ts';
import { programPath } from '../program-path.ts';
import { FIRST_FILES } from '../templates/first-app.ts';
import { type HookSettings, postReceiveHook, preReceiveHook } from '../templates/hooks.ts';

export interface InitOptions {
  readonly bare?: boolean;
  readonly follow?: boolean;
  readonly branch: string;
}

export async function init(dir: string, options: InitOptions): Promise<void> {
  if (
    !/^[A-Za-z0-9][\w./-]*$/.test(options.branch) ||
    options.branch.includes('..') ||
    options.branch.endsWith('.lock')
  )
    throw new CliFailure(2, `${JSON.stringify(options.branch)} is no branch name`);
  const folder = resolve(dir);
  if (options.follow && !options.bare) throw new CliFailure(2, '--follow is of a repository to push to: add --bare');
  await (options.bare
    ? initBare(folder, dir, options.branch, options.follow ?? false)
    : initCheckout(folder, dir, options.branch));
}

async function initBare(folder: string, shown: string, branch: string, follow: boolean): Promise<void> {
  const entries = await readdir(folder).catch(() => []);
  if (entries.length > 0 && !(existsSync(join(folder, 'HEAD')) && existsSync(join(folder, 'objects')))) {
    throw new CliFailure(2, `${folder} is not empty and is no bare repository`, 'name a new folder');
  }
  await mkdir(folder, { recursive: true });
  const fresh = entries.length === 0;
  if (fresh) await git.init({ fs, gitdir: folder, bare: true, defaultBranch: branch });
  // The branch may be deleted, with a warning: what runs stays.
  await git.setConfig({ fs, gitdir: folder, path: 'receive.denyDeleteCurrent', value: 'ignore' });
  const settings: HookSettings = { branch, node: process.execPath, cli: programPath(), follow };
  await writeHook(folder, 'pre-receive', preReceiveHook(settings));
  await writeHook(folder, 'post-receive', postReceiveHook(settings));
  await mkdir(dirname(join(folder, HINT_FILE)), { recursive: true });
  await print(
    `${fresh ? 'made' : 'renewed the hooks of'} ${folder} (branch ${branch})\nnext:\n  git remote add origin ${folder} && git push -u origin ${branch}\n  plumb up --repo ${shown}\n`,
  );
}

/** A hook that someone else wrote is left alone. */
async function writeHook(folder: string, name: string, text: string): Promise<void> {
  const path = join(folder, 'hooks', name);
  await mkdir(dirname(path), { recursive: true });
  const before = existsSync(path) ? fs.readFileSync(path, 'utf8') : undefined;
  if (before !== undefined && !before.includes('plumb init --bare')) {
    throw new CliFailure(
      1,
      `${path} is there already and was not written by plumb`,
      'move it away, run this again, and call it from the new one',
    );
  }
  await writeFile(path, text);
  await chmod(path, 0o755);
}

async function initCheckout(folder: string, shown: string, branch: string): Promise<void> {
  const clash = Object.keys(FIRST_FILES).filter((name) => name !== 'README.md' && existsSync(join(folder, name)));
  if (clash.length > 0)
    throw new CliFailure(2, `${join(folder, clash[0] ?? '')} is there already`, 'name a new folder');
  const isNew = !existsSync(join(folder, '.git'));
  const written: string[] = [];
  for (const [name, text] of Object.entries(FIRST_FILES)) {
    const path = join(folder, name);
    if (existsSync(path)) continue;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    written.push(name);
  }
  if (isNew) {
    await git.init({ fs, dir: folder, defaultBranch: branch });
    for (const filepath of written) await git.add({ fs, dir: folder, filepath });
    const login = userInfo().username;
    await git.commit({
      fs,
      dir: folder,
      message: 'Start with one app\n',
      author: { name: login, email: `${login}@${hostname()}` },
    });
  }
  await print(
    `wrote ${written.join(', ')} in ${folder}${isNew ? ', committed' : '; commit them when you like them'}\nnext:\n${folder === process.cwd() ? '' : `  cd ${shown}\n`}  plumb check && plumb plan\n  plumb node add root@HOST --commit   # for each machine\n`,
  );
}
