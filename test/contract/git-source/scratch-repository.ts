/** A bare repository in a folder of its own, written with the native git: what the suites compare with. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../support/folder.ts';

export interface NewFile {
  readonly path: string | Buffer;
  readonly content: string | Buffer;
  readonly mode?: '100644' | '100755' | '120000';
}

export interface ScratchRepository {
  readonly root: string;
  readonly dir: string;
  git(args: readonly string[], input?: string | Buffer): string;
  /** A commit with exactly these files, put on `branch` unless that is null; its id. */
  commit(
    files: readonly NewFile[],
    options?: {
      readonly branch?: string | null;
      readonly parent?: string;
      readonly message?: string;
      /** Commits by path. */
      readonly submodules?: Readonly<Record<string, string>>;
    },
  ): string;
  /** Does to a loose object what a power cut does to files; the answer puts it back. */
  damage(oid: string, how: (good: Buffer) => Buffer | undefined): () => void;
  remove(): void;
}

const IDENTITY = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.test',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.test',
  GIT_CONFIG_NOSYSTEM: '1',
};

export function scratchRepository(): ScratchRepository {
  const root = makeFolder('plumb-git-');
  const dir = join(root, 'repo.git');
  let minute = 0;
  function git(args: readonly string[], input?: string | Buffer): string {
    const date = `2026-01-01T00:${String(minute).padStart(2, '0')}:00Z`;
    return execFileSync('git', ['--git-dir', dir, ...args], {
      input: input ?? '',
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: root, ...IDENTITY, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date },
    }).trimEnd();
  }
  git(['init', '--quiet', '--bare', '--initial-branch=main', dir]);
  return {
    root,
    dir,
    git,
    commit(files, options = {}) {
      minute = (minute + 1) % 60;
      const index = join(root, `index-${minute}`);
      const env = (args: readonly string[], input?: Buffer): string =>
        execFileSync('git', ['--git-dir', dir, ...args], {
          env: { PATH: process.env['PATH'], GIT_INDEX_FILE: index, HOME: root },
          input: input ?? '',
          encoding: 'utf8',
        }).trimEnd();
      rmSync(index, { force: true });
      const lines = files.map((file) => {
        const oid = git(['hash-object', '-w', '--stdin'], file.content);
        return Buffer.concat([
          Buffer.from(`${file.mode ?? '100644'} ${oid}\t`),
          Buffer.from(file.path),
          Buffer.from('\0'),
        ]);
      });
      for (const [path, sha] of Object.entries(options.submodules ?? {}))
        lines.push(Buffer.from(`160000 ${sha}\t${path}\0`));
      env(['update-index', '-z', '--index-info'], Buffer.concat(lines));
      const tree = env(['write-tree']);
      const branch = options.branch === undefined ? 'main' : options.branch;
      let parent = options.parent;
      if (parent === undefined && branch !== null) {
        try {
          parent = git(['rev-parse', '--verify', '--quiet', `refs/heads/${branch}`]);
        } catch {
          parent = undefined;
        }
      }
      const sha = git([
        'commit-tree',
        tree,
        ...(parent ? ['-p', parent] : []),
        '-m',
        options.message ?? `Change ${minute}`,
      ]);
      if (branch !== null) git(['update-ref', `refs/heads/${branch}`, sha]);
      return sha;
    },
    damage(oid, how) {
      const path = join(dir, 'objects', oid.slice(0, 2), oid.slice(2));
      const good = readFileSync(path);
      const bad = how(good);
      rmSync(path);
      if (bad) writeFileSync(path, bad);
      return () => {
        rmSync(path, { force: true });
        writeFileSync(path, good);
      };
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
