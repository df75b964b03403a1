/** Names that one process may use at a time, such as a lab's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, statSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/**
 * Holds `name` in this process's network namespace until the function that it gives is called, or until this process has
 * ended in any way: an abstract Unix socket, of which the kernel leaves nothing behind (unix(7)). Throws while another
 * process holds it.
 */
export async function claim(name: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? taken(name) : error);
    });
    server.listen(`\0plumbline-test/${name}`, resolve);
  });
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}

/** Every process of the machine has the same ones, whatever namespaces it is in. */
const LOCKS = '/run/lock';
/**
 * Locks the file, tells which one it was, and holds it until its input ends: with this process at the latest. A Ctrl-C
 * does not end it before what it guards is taken down.
 */
const HOLD =
  'trap "" INT TERM HUP; exec 9>"$0" && flock --nonblock --conflict-exit-code 75 9 && stat -Lc %i /proc/self/fd/9 && exec cat';
const HELD_BY_ANOTHER = 75;
/** So often another process may have removed the file just before it was locked. */
const TRIES = 10;

/**
 * Holds `name` as {@link claim} does, but on the whole machine: for what becomes the name of a cgroup or of a folder,
 * which a network namespace does not keep apart. It is a lock on a file (flock(1)); of a process that was killed the
 * empty file stays, unlocked.
 */
export async function claimOnMachine(name: string): Promise<() => Promise<void>> {
  const path = join(LOCKS, `plumbline-test-${name.replaceAll(/[^\w-]/g, '-')}`);
  for (let tries = 1; tries <= TRIES; tries += 1) {
    const holder = spawn('sh', ['-c', HOLD, path], { stdio: ['pipe', 'pipe', 'pipe'] });
    const ended = once(holder, 'exit') as Promise<[number | null]>;
    let why = '';
    holder.stderr.on('data', (chunk: Buffer) => (why += chunk.toString()));
    const said = await Promise.race([once(holder.stdout, 'data') as Promise<[Buffer]>, ended]);
    const release = async (): Promise<void> => {
      holder.ref();
      holder.stdin.end();
      await ended;
    };
    if (!Buffer.isBuffer(said[0])) {
      if (said[0] === HELD_BY_ANOTHER) throw taken(name);
      throw new Error(`cannot lock ${path}: ${why}`);
    }
    if (statSync(path, { throwIfNoEntry: false })?.ino === Number(said[0].toString())) {
      holder.unref();
      for (const pipe of [holder.stdin, holder.stdout, holder.stderr]) (pipe as Socket).unref();
      return async () => {
        rmSync(path, { force: true });
        await release();
      };
    }
    // Whoever had it let go and removed the file after it was opened here: this lock is on nothing.
    await release();
  }
  throw taken(name);
}

function taken(name: string): Error {
  return new Error(`another test run of this machine uses ${name}; wait for its end`);
}
