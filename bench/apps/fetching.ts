/** A repository fetched into a mirror of ours, and into one of the native Git: all of it, then one changed line. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openGitSource } from '../../reconciler/adapters/git/index.ts';
import { makeFolder } from '../../test/support/folder.ts';
import { commit, write } from './commits.ts';
import { objects, type Files } from './repository.ts';

const run = promisify(execFile);
/** Commits before it is fetched, each of one changed line. */
const HISTORY = 100;

/** Of medians, in seconds. */
export interface Fetched {
  readonly part: 'git';
  readonly clone: Compared;
  readonly fetch: Compared;
}

interface Compared {
  readonly seconds: number;
  readonly nativeSeconds: number;
  readonly ratio: number;
}

/** `count` objects, 100 in a file; each side `rounds` times in turn, both by `git upload-pack` on this machine. */
export async function measureFetching(count: number, rounds: number): Promise<Fetched> {
  const dir = makeFolder('plumb-bench-git-');
  const { signal } = new AbortController();
  const repo = join(dir, 'repo');
  const url = `file://${repo}`;
  try {
    await run('git', ['init', '-q', '-b', 'main', repo]);
    for (let i = 0; i <= HISTORY; i++) await put(repo, i === 0 ? objects(count, 'h0') : objects(100, `h${i}`));
    const [clones, fetches]: [[number, number][], [number, number][]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      const [ours, native] = [join(dir, `ours-${round}`), join(dir, `native-${round}`)];
      const source = await openGitSource({ url, branch: 'main', cacheDir: ours });
      const look = async (): Promise<void> => {
        const head = await source.head(signal);
        if (head.state !== 'at') throw new Error('nothing was fetched');
      };
      try {
        const cloned = await seconds(look);
        clones.push([
          cloned,
          await seconds(() => run('git', ['clone', '-q', '--bare', '--single-branch', '-b', 'main', url, native])),
        ]);
        await put(repo, objects(100, `r${round}`));
        const fetched = await seconds(look);
        fetches.push([fetched, await seconds(() => run('git', ['-C', native, 'fetch', '-q', 'origin', 'main:main']))]);
      } finally {
        await source.close();
      }
    }
    return { part: 'git', clone: compared(clones), fetch: compared(fetches) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function put(repo: string, files: Files): Promise<void> {
  await write(repo, files);
  await commit(repo);
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

function compared(pairs: readonly (readonly [number, number])[]): Compared {
  const median = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  const [ours, native] = [median(pairs.map(([one]) => one)), median(pairs.map(([, one]) => one))];
  const three = (value: number): number => Number(value.toFixed(3));
  return { seconds: three(ours), nativeSeconds: three(native), ratio: Number((ours / native).toFixed(2)) };
}
