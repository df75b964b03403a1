/**
 * When a container that was told to end is to be ended by force, written down where an agent that starts anew finds it.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from './durable.ts';

interface Ending {
  readonly id: string;
  /** Milliseconds of CLOCK_MONOTONIC, which all processes of a machine share from one boot to the next. */
  readonly by: number;
}

const sinceBootMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

/**
 * Milliseconds that are left of the grace of container `id`, never below 0: counted from the first time that this was
 * asked. Asked with a shorter grace, that counts from now. `path`: in a memory-backed folder, gone after a reboot as
 * the container is; one for the ids that follow one another.
 */
export async function graceLeft(path: string, id: string, graceMs: number, now = sinceBootMs()): Promise<number> {
  const written = await endingAt(path);
  const by = Math.min(now + graceMs, written?.id === id ? written.by : Number.POSITIVE_INFINITY);
  if (by !== written?.by || id !== written.id) {
    await makeFolder(dirname(path), 0o700);
    await writeFile(`${path}.new`, JSON.stringify({ id, by } satisfies Ending), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
  return Math.max(0, by - now);
}

/** What cannot be read was never finished: nothing is known. */
async function endingAt(path: string): Promise<Ending | undefined> {
  try {
    const { id, by } = JSON.parse(await readFile(path, 'utf8')) as Partial<Ending>;
    return typeof id === 'string' && typeof by === 'number' ? { id, by } : undefined;
  } catch {
    return undefined;
  }
}
