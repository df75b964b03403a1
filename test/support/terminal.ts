/** Programs on a real terminal, typed into and looked at from outside: script(1) of util-linux holds its other side. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { whenOver } from './patience.ts';
import { tied } from './tied.ts';

export interface Terminal {
  /** All that was shown. */
  shown(): string;
  type(keys: string): void;
  /** As a window that is dragged: the kernel tells the programs in it. */
  resize(rows: number, columns: number): void;
  /** The next match behind the last one that was waited for; rejects with all that was shown after `ms`. */
  until(wanted: RegExp, ms?: number): Promise<RegExpExecArray>;
  /** The process in it whose command line has this word. */
  find(word: string): number;
  /** The shell's exit code once it has ended; rejects after `ms`. */
  ended(ms?: number): Promise<number>;
  /** Ends everything in it. */
  close(): Promise<void>;
}

export const CTRL_C = '\u0003';
const WAIT_MS = 20_000;

/** Runs a shell script on a new terminal of 40 rows and 100 columns. */
export async function openTerminal(shellScript: string, env: NodeJS.ProcessEnv = {}): Promise<Terminal> {
  const [program, ...args] = tied(
    'script',
    '--quiet',
    '--return',
    '--flush',
    '--command',
    `stty rows 40 cols 100; echo "terminal $(tty)"\n${shellScript}`,
    '/dev/null',
  );
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, SHELL: '/bin/sh', ...env },
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  child.stdin.on('error', () => undefined);
  let text = '';
  let read = 0;
  const watchers = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    for (const watcher of watchers) watcher();
  });

  /** Resolves when `look` gives something; rejects after `ms`, or when the terminal is gone. */
  function within<T>(what: string, ms: number, look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        forget();
        watchers.delete(watch);
      };
      const fail = (why: string): void => {
        finish();
        reject(new Error(`${what}: ${why}; the terminal shows:\n${text}`));
      };
      const watch = (): void => {
        const found = look();
        if (found === undefined) return;
        finish();
        resolve(found);
      };
      const forget = whenOver(ms, () => fail(`not within ${ms} ms`));
      watchers.add(watch);
      void closed.then(() => {
        watch();
        fail('the shell ended');
      });
      watch();
    });
  }

  const terminal: Omit<Terminal, 'resize'> = {
    shown: () => text,
    type: (keys) => void child.stdin.write(keys),
    until: (wanted, ms = WAIT_MS) =>
      within(String(wanted), ms, () => {
        const match = wanted.exec(text.slice(read));
        if (!match) return undefined;
        read += match.index + match[0].length;
        return match;
      }),
    find(word) {
      const found = descendants(child.pid ?? 0).find((pid) =>
        readProc(`/proc/${pid}/cmdline`).split('\0').includes(word),
      );
      if (found === undefined) throw new Error(`no process in the terminal has the word ${word}`);
      return found;
    },
    async ended(ms = WAIT_MS) {
      let code: number | null | undefined;
      void closed.then(([exit]) => {
        code = exit ?? -1;
      });
      return within('the end of the shell', ms, () => code ?? undefined);
    },
    async close() {
      for (const pid of descendants(child.pid ?? 0)) kill(pid);
      child.kill('SIGKILL');
      await closed;
    },
  };
  try {
    const device = (await terminal.until(/terminal (\/dev\/pts\/\d+)\r\n/))[1] ?? '';
    return {
      ...terminal,
      resize: (rows, columns) =>
        void execFileSync('stty', ['-F', device, 'rows', String(rows), 'cols', String(columns)]),
    };
  } catch (error) {
    await terminal.close();
    throw error;
  }
}

function descendants(pid: number): number[] {
  return readProc(`/proc/${pid}/task/${pid}/children`)
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number)
    .flatMap((child) => [child, ...descendants(child)]);
}

/** Empty for a process that has ended. */
function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    /* ended by itself */
  }
}
