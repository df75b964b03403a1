/** `plumb doctor`: what is missing on this machine, on a server, in a repository. Changes nothing. */
import { readFile, statfs } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { errorText } from '../../contracts/errors.ts';
import { findProgram, run } from '../../lab/process.ts';
import { findRepository, readHead } from '../../reconciler/adapters/git/find-repository.ts';
import { openGitSource } from '../../reconciler/adapters/git/index.ts';
import { AGE_KEY_NAME } from '../../reconciler/adapters/home/home.ts';
import { SILENT_LOG } from '../../reconciler/ports/log.ts';
import type { NodeTransport, SshTarget } from '../../reconciler/ports/node-transport.ts';
import type { StatusReport } from '../../reconciler/api/types.ts';
import { controlPlane } from '../control-plane.ts';
import { missing, ok, type Finding } from '../doctor/finding.ts';

import { judgeRepository, type RepositoryFacts } from '../doctor/repository.ts';
import { judgeServer, MORE_FACTS, readMoreFacts } from '../doctor/server.ts';
import { judgeMachine, type MachineFacts } from '../doctor/this-machine.ts';
import { CliFailure } from '../failure.ts';
import { homeFolder, SOCKET_NAME } from '../home.ts';
import { printData } from '../print/format.ts';
import { print } from '../print/terminal.ts';
import { packageRoot } from '../program-path.ts';
import { checkoutRoot, renderFolder, renderRevision } from '../repository.ts';
import { SERVICE_HOME } from '../service/places.ts';
import { parseDestination, privateKey, settleHostKey } from './node-add.ts';

export interface DoctorOptions {
  readonly home?: string;
  readonly node?: string;
  readonly repo?: string;
  readonly hostKey?: string;
  readonly yes?: boolean;
  readonly sshKey?: string;
  readonly output?: string;
}

const TIMEOUT_MS = 30_000;

export async function doctor(options: DoctorOptions): Promise<void> {
  const findings = [
    ...(options.node === undefined ? [] : await lookAtServer(options.node, options)),
    ...(options.repo === undefined ? [] : judgeRepository(await repositoryFacts(resolve(options.repo), options.home))),
    ...(options.node === undefined && options.repo === undefined ? judgeMachine(await machineFacts(options.home)) : []),
  ];
  const bad = findings.filter(({ state }) => state === 'missing').length;
  if (bad > 0) process.exitCode = 1;
  if (await printData({ findings }, options.output)) return;
  const warnings = findings.filter(({ state }) => state === 'warning').length;
  const lines = findings.map(({ subject, state, message, advice }) => {
    const line = `${state.padEnd(8)} ${subject}: ${message}`;
    return advice === undefined ? line : `${line}\n         -> ${advice}`;
  });
  const sum =
    bad + warnings === 0
      ? 'nothing is missing'
      : `${bad} missing, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`;
  await print(`${[...lines, sum].join('\n')}\n`);
}

const LOOKED_FOR = ['git', 'ssh', 'ssh-keygen', 'tar', 'npm', 'prlimit', 'setpriv', 'unshare', 'redis-server'];

async function machineFacts(given: string | undefined): Promise<MachineFacts> {
  const home = homeFolder(given);
  const root = packageRoot();
  const said = async (...argv: readonly string[]): Promise<string> =>
    run(argv).then(
      ({ stdout }) => stdout,
      () => '',
    );
  const caches = [join(root, '.cache'), home];
  const runtimes = ['x64', 'arm64'].filter((arch) =>
    [join(root, '.cache', 'runtime'), join(home, 'runtime')].some((dir) => hasRuntime(dir, arch)),
  );
  return {
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    programs: new Set(LOOKED_FOR.filter((name) => findProgram(name) !== undefined)),
    redis: await said('redis-server', '--version'),
    namespaces: await namespaces(),
    hasAgent: existsSync(join(root, 'dist', 'agent.mjs')),
    runtimes,
    hasEngines: caches.some((dir) => existsSync(join(dir, 'engines'))),
    home,
    free: await freeAt(home),
    controlPlane: await planeOf(home),
  };
}

function hasRuntime(dir: string, arch: string): boolean {
  try {
    return readdirSync(dir).some(
      (name) => name.startsWith(`node-linux-${arch}-`) && existsSync(join(dir, name, 'sha256')),
    );
  } catch {
    return false;
  }
}

/** As the sandbox of Kustomize and Helm begins. */
async function namespaces(): Promise<true | string> {
  try {
    const { code, stderr } = await run([
      'unshare',
      '--user',
      '--map-root-user',
      '--net',
      '--pid',
      '--fork',
      '--',
      'true',
    ]);
    return code === 0 ? true : stderr.trim();
  } catch (error) {
    return errorText(error);
  }
}

async function freeAt(path: string): Promise<number> {
  const found = await statfs(path).catch(() => undefined);
  if (found) return found.bavail * found.bsize;
  return path === '/' ? 0 : freeAt(dirname(path));
}

async function planeOf(home: string): Promise<MachineFacts['controlPlane']> {
  if (!existsSync(join(home, SOCKET_NAME)) && home !== SERVICE_HOME) return undefined;
  try {
    const { controlPlane: answered } = await controlPlane(home).get<StatusReport>('/plumbline/v1/status');
    return { version: answered.version };
  } catch (error) {
    return { why: errorText(error) };
  }
}

async function lookAtServer(given: string, options: DoctorOptions): Promise<readonly Finding[]> {
  const [{ SshNodeTransport }, { FACTS, readFacts, script, SystemClock }] = await Promise.all([
    import('../../reconciler/adapters/ssh/transport.ts'),
    import('../../reconciler/main.ts'),
  ]);
  const keyFile = options.sshKey ?? join(homeFolder(options.home), 'ssh', 'id_ed25519');
  const transport = new SshNodeTransport({
    privateKey: await privateKey(keyFile),
    log: SILENT_LOG,
    clock: new SystemClock(),
  });
  try {
    const target = (await machineNamed(given)) ?? (await strangeMachine(given, transport, options));
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const connection = await transport.connect(target, signal).catch((error: unknown) => errorText(error));
    if (typeof connection === 'string')
      return [
        missing(
          'SSH',
          connection,
          `the server must accept ${keyFile}.pub: ssh-copy-id -f -i ${keyFile}.pub -p ${target.port} ${target.user}@${target.address}`,
        ),
      ];
    try {
      const facts = readFacts((await connection.run(script(FACTS), { signal })).stdout);
      const more = readMoreFacts((await connection.run(script(MORE_FACTS), { signal })).stdout);
      return [
        ok('SSH', `${target.user}@${target.address}:${target.port} accepts the key`),
        ...judgeServer(facts, more, Date.now() / 1000),
      ];
    } finally {
      await connection.close();
    }
  } finally {
    await transport.close();
  }
}

/** Of the checkout around this folder; undefined where `given` is no name of one of its machines. */
async function machineNamed(given: string): Promise<SshTarget | undefined> {
  if (given.includes('@')) return undefined;
  const { state } = await renderFolder(checkoutRoot(undefined));
  for (const { object } of state.values()) {
    if (object.kind !== 'Machine' || object.metadata.name !== given) continue;
    const { address, port, user, hostKey } = object.spec;
    return { name: given, address, port, user, hostKey };
  }
  return undefined;
}

async function strangeMachine(given: string, transport: NodeTransport, options: DoctorOptions): Promise<SshTarget> {
  const destination = parseDestination(given);
  return { name: destination.address, ...destination, hostKey: await settleHostKey(transport, destination, options) };
}

async function repositoryFacts(path: string, home: string | undefined): Promise<RepositoryFacts> {
  const found = await findRepository(path);
  if (!found) throw new CliFailure(2, `${path} is no Git repository`, 'name a checkout, or a bare repository');
  const bare = found.gitdir === path;
  const { branch = 'HEAD' } = await readHead(found.headDir);
  const git = await openGitSource({ url: path, ...(branch !== 'HEAD' && { branch }) });
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const head = await git.head(signal);
    const sha = head.state === 'at' ? head.revision.sha : undefined;
    const rendering = sha === undefined ? undefined : await renderRevision(git, sha, signal);
    const objects = [...(rendering?.state.values() ?? [])].map(({ object }) => object);
    return {
      branch,
      head: sha,
      errors: rendering?.diagnostics.filter(({ severity }) => severity === 'error').length ?? 0,
      clusters: objects.filter(({ kind }) => kind === 'Cluster').length,
      machines: objects.filter(({ kind }) => kind === 'Machine').length,
      bare,
      hooks: {
        'pre-receive': await hookAt(join(path, 'hooks', 'pre-receive')),
        'post-receive': await hookAt(join(path, 'hooks', 'post-receive')),
      },
      encrypted: (rendering?.sealed ?? []).length > 0,
      hasAgeKey: existsSync(join(homeFolder(home), AGE_KEY_NAME)),
    };
  } finally {
    await git.close();
  }
}

async function hookAt(path: string): Promise<RepositoryFacts['hooks']['pre-receive']> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return 'none';
  if (!text.includes('plumb init --bare')) return 'other';
  for (const [, word = ''] of text.matchAll(/^(?:node|cli)='(.*)'$/gm)) {
    const called = word.replaceAll("'\\''", "'");
    if (!existsSync(called)) return { gone: called };
  }
  return 'ours';
}
