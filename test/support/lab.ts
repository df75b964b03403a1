/** Labs of tests: under fixed names and in fixed folders, so that a run finds what a killed one left. */
import { rm } from 'node:fs/promises';
import { LabRefusal } from '../../lab/errors.ts';
import { labDown } from '../../lab/index.ts';
import { claimOnMachine } from './claim.ts';
import { whenInterrupted } from './interruption.ts';
import { polled } from './patience.ts';

/** For a change of a lab that is under way, such as a host that boots. */
const BUSY_MS = 60_000;

interface LabPlace {
  readonly name: string;
  readonly dir: string;
}

export interface OwnLab extends LabPlace {
  /** Takes the lab down, and gives its name and folder back. Safe to repeat. */
  close(): Promise<void>;
}

/**
 * A lab's name and folder, for this process alone; whatever a killed run left of such a lab is taken down. When this
 * process is interrupted, `close` happens by itself. Throws while another process has the name.
 */
export async function ownLab({ name, dir }: LabPlace): Promise<OwnLab> {
  const release = await claimOnMachine(`the lab ${name}`);
  const close = async (): Promise<void> => {
    await removeLab({ name, dir });
    forget();
    await release();
  };
  const forget = whenInterrupted(`the lab in ${dir}`, close);
  await removeLab({ name, dir });
  return { name, dir, close };
}

/** Waits for a change that is under way: a lab takes one at a time. */
async function removeLab({ name, dir }: LabPlace): Promise<void> {
  await polled(
    `the lab ${name} is being changed all the time`,
    () =>
      labDown({ name, dir }).then(
        () => true,
        (error: unknown) => {
          if (error instanceof LabRefusal && error.message.startsWith('Another command is changing')) return undefined;
          throw error;
        },
      ),
    { timeoutMs: BUSY_MS, everyMs: 100 },
  );
  await rm(dir, { recursive: true, force: true });
}
