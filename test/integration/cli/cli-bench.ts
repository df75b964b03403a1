/** The built CLI, run as people run it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PLUMB } from '../../support/built-cli.ts';
import { tied } from '../../support/tied.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')));
  const [program, ...rest] = tied(command, ...args);
  const child = spawn(program, rest, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...clean,
      HOME: cwd,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'Ada',
      GIT_AUTHOR_EMAIL: 'a@x.test',
      GIT_COMMITTER_NAME: 'Ada',
      GIT_COMMITTER_EMAIL: 'a@x.test',
      ...env,
    },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}

export function plumb(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return run(process.execPath, [PLUMB, ...args], cwd, env);
}

/** git that must succeed. */
export async function git(args: readonly string[], cwd: string): Promise<Ran> {
  const ran = await run('git', args, cwd);
  if (ran.code !== 0) throw new Error(`git ${args.join(' ')}: ${ran.stderr}`);
  return ran;
}
