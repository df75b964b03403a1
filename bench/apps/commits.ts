/** Commits of a benchmark's repository, by the native Git. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Files } from './repository.ts';

const run = promisify(execFile);

export async function write(repo: string, files: Files): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(repo, dirname(path)), { recursive: true });
    await writeFile(join(repo, path), text);
  }
}

/** All that is in the folder. */
export async function commit(repo: string): Promise<void> {
  const identity = ['-c', 'user.name=bench', '-c', 'user.email=bench@example.test', '-c', 'gc.auto=0'];
  await run('git', ['-C', repo, 'add', '-A']);
  await run('git', ['-C', repo, ...identity, 'commit', '-q', '-m', 'bench']);
}
