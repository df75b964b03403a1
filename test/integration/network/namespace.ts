/** Network namespaces of a test, entered with `nsenter`, removed whatever happens. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { processStart } from '../../../lab/process.ts';
import { createFollowCommand } from '../../../nodeagent/adapters/process/follow-command.ts';
import { createRunCommand } from '../../../nodeagent/adapters/process/run-command.ts';
import type { FollowCommand } from '../../../nodeagent/ports/follow-command.ts';
import type { CommandResult, RunCommand } from '../../../nodeagent/ports/run-command.ts';
import { whenInterrupted } from '../../support/interruption.ts';

const PREFIX = `pnet-${process.pid}-`;
const made = new Set<Namespace>();
const never = new AbortController().signal;
let prepared = false;

/** Programs of most of the network's tests. */
export const NEEDED: readonly string[] = ['nft', 'ip', 'nsenter', 'conntrack'];

/** Why this machine cannot run the network's tests; undefined when it can. */
export function cannotRun(programs = NEEDED): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = programs.filter(
    (p) => !['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((d) => existsSync(`${d}/${p}`)),
  );
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`;
}

/** Why this machine cannot forward by IPVS; undefined when it can. */
export function cannotForwardByIpvs(): string | undefined {
  const missing = cannotRun([...NEEDED, 'ipvsadm']);
  if (missing !== undefined) return missing;
  try {
    execFileSync('ipvsadm', ['-L', '-n'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `no IPVS here: ${String(error).split('\n').slice(0, 2).join(' ')}`;
  }
}

export interface Namespace {
  readonly name: string;
  /** argv prefix that enters it. */
  readonly enter: readonly string[];
  readonly run: RunCommand;
  readonly follow: FollowCommand;
  /** Runs and returns standard output; throws on any failure. */
  sh(...argv: string[]): Promise<string>;
  remove(): void;
}

export function makeNamespace(label: string): Namespace {
  const name = `${PREFIX}${label}`;
  if (!prepared) {
    whenInterrupted('network namespaces', removeNamespaces);
    removeLeftovers();
    prepared = true;
  }
  execFileSync('ip', ['netns', 'add', name]);
  const enter = ['nsenter', `--net=/run/netns/${name}`];
  const run = createRunCommand({ prefix: enter });
  const namespace: Namespace = {
    name,
    enter,
    run,
    follow: createFollowCommand({ prefix: enter }),
    async sh(...argv) {
      const result: CommandResult = await run(argv, { signal: never });
      if (result.code !== 0) throw new Error(`${name}: ${argv.join(' ')}: ${result.stderr}`);
      return result.stdout;
    },
    remove() {
      if (!made.delete(namespace)) return;
      execFileSync('ip', ['netns', 'delete', name]);
    },
  };
  made.add(namespace);
  return namespace;
}

export function removeNamespaces(): void {
  for (const namespace of [...made]) namespace.remove();
}

/** Namespaces of test processes that were killed. */
function removeLeftovers(): void {
  const names = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  for (const name of names) {
    const owner = /^pnet-(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && processStart(Number(owner)) === undefined) execFileSync('ip', ['netns', 'delete', name]);
  }
}

process.once('exit', removeNamespaces);
