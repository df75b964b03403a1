/** `plumb up`: the control plane in the foreground. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { splitCredentials } from '../../reconciler/adapters/git/index.ts';
import { redisOptionsFromUrl, type RedisPasswords } from '../../reconciler/adapters/redis/url.ts';
import { parseRange } from '../../reconciler/core/sources/semver.ts';
import { CliFailure } from '../failure.ts';
import { ownHome } from '../home.ts';
import { progress } from '../print/terminal.ts';
import { webhookSettings } from '../webhook-settings.ts';

const PASSWORD_VARIABLE = 'PLUMB_GIT_PASSWORD';
const REDIS_URL_VARIABLE = 'PLUMB_REDIS_URL';
const REDIS_PASSWORD_VARIABLE = 'PLUMB_REDIS_PASSWORD';
const SENTINEL_PASSWORD_VARIABLE = 'PLUMB_REDIS_SENTINEL_PASSWORD';
type SecretVariable =
  | typeof PASSWORD_VARIABLE
  | typeof REDIS_URL_VARIABLE
  | typeof REDIS_PASSWORD_VARIABLE
  | typeof SENTINEL_PASSWORD_VARIABLE;

export interface UpOptions {
  readonly home?: string;
  readonly repo?: string;
  readonly branch?: string;
  readonly tag?: string;
  readonly semver?: string;
  readonly redis?: string;
  readonly sshKey?: string;
  readonly ageKey?: string;
  readonly source: string;
  readonly webhook?: string;
  readonly webhookSecret?: string;
  readonly webhookCert?: string;
  readonly webhookKey?: string;
  readonly version: string;
}

/** From the signal to the end, whatever machines, Git or Redis do. */
const STOP_MS = 5_000;
/** One Ctrl-C may come twice: from the terminal and from npx. */
const SAME_SIGNAL_MS = 500;
/** For what still holds the event loop when everything is said. */
const DRAIN_MS = 250;

export async function up(options: UpOptions): Promise<void> {
  const home = ownHome(options.home);
  const given = options.repo ?? here();
  const { url: repo, credentials } = splitCredentials(given, take(PASSWORD_VARIABLE));
  if (splitCredentials(given).credentials?.reveal().password)
    progress(
      `note: everybody on this machine can read the password in --repo: give it in ${PASSWORD_VARIABLE} instead`,
    );
  const redisInEnvironment = take(REDIS_URL_VARIABLE);
  const redis = options.redis ?? redisInEnvironment;
  const redisPasswords = redisPasswordsOf(take(REDIS_PASSWORD_VARIABLE), take(SENTINEL_PASSWORD_VARIABLE));
  if (options.redis !== undefined && redisOptionsFromUrl(options.redis).password !== undefined) {
    progress(
      `note: everybody on this machine can read the password in --redis: give it in ${REDIS_PASSWORD_VARIABLE}, or the whole URL in ${REDIS_URL_VARIABLE}`,
    );
  }
  const follow = followOf(options);
  forbidCoreDumps();
  const webhooks = await webhookSettings(options);
  const { startControlPlane } = await import('../../reconciler/main.ts');
  progress(`plumb ${options.version}: control plane for ${repo}, home ${home}`);
  const ending = new AbortController();
  let failure: Error | undefined;
  onStopSignals((signal) => {
    progress(`${signal}: stopping; pods go on running on their machines`);
    ending.abort(new Error(`stopped by ${signal}`));
  });
  const serve = async (): Promise<void> => {
    const plane = await startControlPlane({
      home,
      repo,
      sourceName: options.source,
      version: options.version,
      keepState: true,
      progress,
      signal: ending.signal,
      ...(credentials && { gitCredentials: credentials }),
      ...(options.branch !== undefined && { branch: options.branch }),
      ...(follow && { follow }),
      ...(redis !== undefined && { redis, redisPasswords }),
      ...(options.sshKey !== undefined && { sshKey: resolve(options.sshKey) }),
      ...(options.ageKey !== undefined && { ageKey: resolve(options.ageKey) }),
      ...(webhooks && { webhooks }),
    });
    progress(`ready: ${plane.socket}`);
    void plane.failed.then((error) => {
      if (ending.signal.aborted) return;
      failure = error;
      ending.abort(error);
    });
    await aborted(ending.signal);
    await plane.close();
  };
  const served = serve().catch((error: unknown) => {
    // A start that was stopped has not failed.
    if (!ending.signal.aborted) throw error;
  });
  try {
    const inTime = await Promise.race([served.then(() => true), pastDeadline(ending.signal)]);
    if (failure) throw failure;
    if (!inTime)
      throw new CliFailure(
        1,
        `not everything stopped within ${STOP_MS / 1000} s: the rest, and the private redis-server, end with this process`,
      );
    progress('stopped');
  } finally {
    setTimeout(() => process.exit(), DRAIN_MS).unref();
  }
}

/** Calls `stop` for the first signal; a later one ends the process at once, and its private Redis with it. */
function onStopSignals(stop: (signal: NodeJS.Signals) => void): void {
  let first: number | undefined;
  const heard = (signal: NodeJS.Signals): void => {
    if (first === undefined) {
      first = performance.now();
      stop(signal);
    } else if (performance.now() - first > SAME_SIGNAL_MS) {
      progress(`${signal} again: ending at once`);
      process.exit(128 + constants.signals[signal]);
    }
  };
  process.on('SIGINT', heard).on('SIGTERM', heard);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((wake) => {
    signal.addEventListener(
      'abort',
      () => {
        wake();
      },
      { once: true },
    );
  });
}

/** False, {@link STOP_MS} after the signal aborted. */
async function pastDeadline(signal: AbortSignal): Promise<false> {
  await aborted(signal);
  return new Promise((late) => {
    setTimeout(() => {
      late(false);
    }, STOP_MS).unref();
  });
}

/** The memory of this process, and of what it starts, has Secrets in plain text: it is never written to a disk. */
function forbidCoreDumps(): void {
  try {
    execFileSync('prlimit', ['--pid', String(process.pid), '--core=0'], { stdio: 'ignore' });
  } catch {
    progress(
      'warning: a crash may leave a core dump, with Secrets in plain text: prlimit (util-linux) could not forbid it',
    );
  }
}

/** A secret in the environment, which no program that is started from here gets to see. */
function take(variable: SecretVariable): string | undefined {
  const value = process.env[variable];
  delete process.env[variable];
  return value === '' ? undefined : value;
}

function redisPasswordsOf(password: string | undefined, sentinelPassword: string | undefined): RedisPasswords {
  return { ...(password !== undefined && { password }), ...(sentinelPassword !== undefined && { sentinelPassword }) };
}

/** Undefined for a branch. CliFailure 2 for two of them, and for what is no range. */
export function followOf({
  branch,
  tag,
  semver,
}: Pick<UpOptions, 'branch' | 'tag' | 'semver'>): { readonly tag: string } | { readonly semver: string } | undefined {
  if ([branch, tag, semver].filter((given) => given !== undefined).length > 1)
    throw new CliFailure(2, 'only one of --branch, --tag and --semver can be followed');
  if (semver !== undefined && !parseRange(semver))
    throw new CliFailure(
      2,
      `${JSON.stringify(semver)} is no range of versions`,
      "such as '1.2.x', '^1.2' or '>=1.0.0 <2.0.0'",
    );
  return tag !== undefined ? { tag } : semver !== undefined ? { semver } : undefined;
}

/** The repository in the current folder. */
function here(): string {
  const folder = process.cwd();
  if (existsSync(join(folder, '.git')) || existsSync(join(folder, 'objects'))) return folder;
  throw new CliFailure(2, 'which repository? The current folder is none', 'name it: plumb up --repo PATH|URL');
}
