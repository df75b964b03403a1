/** `plumb secret keygen`: the identity that a control plane opens encrypted Secrets with. */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve, join } from 'node:path';
import { makeIdentity } from '../../reconciler/adapters/age/encrypt.ts';
import { AgeFileDecryptor } from '../../reconciler/adapters/age/file-decryptor.ts';
import { AGE_KEY_NAME } from '../../reconciler/adapters/home/home.ts';
import { CliFailure } from '../failure.ts';
import { homeFolder } from '../home.ts';
import { print, progress } from '../print/terminal.ts';

export interface KeygenOptions {
  readonly home?: string;
  readonly ageKey?: string;
  readonly add?: boolean;
}

export async function secretKeygen(options: KeygenOptions): Promise<void> {
  const path = options.ageKey === undefined ? join(homeFolder(options.home), AGE_KEY_NAME) : resolve(options.ageKey);
  const before = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (before !== undefined && !options.add) {
    const known = await new AgeFileDecryptor(path).recipients();
    throw new CliFailure(
      1,
      `${path} is there already: ${typeof known === 'string' ? known : known.join(', ')}`,
      '--add puts another identity before those that are there: what is encrypted for them still opens',
    );
  }
  const { identity, recipient } = await makeIdentity();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${process.pid}`;
  try {
    const file = await open(fresh, 'wx', 0o600);
    try {
      await file.writeFile(
        `# created: ${new Date().toISOString()}\n# public key: ${recipient}\n${identity}\n${before ?? ''}`,
      );
      // Made by root in the home folder of the service's user, it is that user's.
      const { uid, gid } = await stat(dirname(path));
      if (process.getuid?.() === 0) await file.chown(uid, gid);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
  await print(`${recipient}\n`);
  progress(
    `the identity is in ${path}: keep a copy elsewhere, without it nobody can decrypt what is encrypted for it alone`,
  );
}
