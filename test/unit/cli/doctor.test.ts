/** What `plumb doctor` makes of what it found. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Finding } from '../../../cli/doctor/finding.ts';
import { judgeRepository, type RepositoryFacts } from '../../../cli/doctor/repository.ts';
import { judgeServer, readMoreFacts, type MoreFacts, type ServerFacts } from '../../../cli/doctor/server.ts';
import { judgeMachine, type MachineFacts } from '../../../cli/doctor/this-machine.ts';

const PROGRAMS = ['git', 'ssh', 'ssh-keygen', 'tar', 'npm', 'prlimit', 'setpriv', 'unshare', 'redis-server'];
const without = (name: string): ReadonlySet<string> => new Set(PROGRAMS.filter((each) => each !== name));
const MACHINE: MachineFacts = {
  node: '20.19.0',
  platform: 'linux',
  arch: 'x64',
  programs: new Set(PROGRAMS),
  redis: 'Redis server v=7.0.15 sha=00000000:0',
  namespaces: true,
  hasAgent: true,
  runtimes: [],
  hasEngines: false,
  home: '/home/ada/.plumbline',
  free: 5 * 1024 ** 3,
  controlPlane: undefined,
};
const SERVER: ServerFacts = {
  root: true,
  arch: 'x64',
  machine: 'x86_64',
  glibc: true,
  init: 'systemd',
  missing: [],
  containerdRunning: true,
};
const MORE: MoreFacts = { containerd: '1.6.20', freeKib: 20 * 1024 ** 2, nft: true, agent: 'none', clock: 1000 };
const REPOSITORY: RepositoryFacts = {
  branch: 'main',
  head: 'a'.repeat(40),
  errors: 0,
  clusters: 1,
  machines: 1,
  bare: true,
  hooks: { 'pre-receive': 'ours', 'post-receive': 'ours' },
  encrypted: false,
  hasAgeKey: false,
};

/** What is not well: state, subject. */
function told(findings: readonly Finding[]): readonly string[] {
  for (const { state, advice } of findings) assert.equal(advice === undefined, state === 'ok');
  return findings.flatMap(({ state, subject }) => (state === 'ok' ? [] : [`${state} ${subject}`]));
}

describe('this machine', () => {
  for (const [what, facts, expected] of [
    ['has all', {}, []],
    ['has a newer Node.js', { node: '24.0.0' }, []],
    ['has an old Node.js', { node: '20.18.9' }, ['missing Node.js']],
    ['is no Linux', { platform: 'darwin' }, ['missing machine']],
    ['has no Git', { programs: without('git') }, ['missing git']],
    ['has no SSH', { programs: without('ssh') }, ['warning ssh']],
    ['has no Redis', { programs: without('redis-server') }, ['missing redis-server']],
    ['has an old Redis', { redis: 'Redis server v=6.0.16 sha' }, ['missing redis-server']],
    ['has a Redis that says something else', { redis: '' }, []],
    ['has no npm', { programs: without('npm') }, ["missing agents' Node.js", 'warning Kustomize and Helm']],
    ['needs no npm', { programs: without('npm'), runtimes: ['x64'], hasEngines: true }, []],
    ['is one that no engines are packed for', { arch: 'arm64' }, ['warning Kustomize and Helm']],
    ['is a clone that was not built', { hasAgent: false }, ['missing agent']],
    ['lets no namespaces be made', { namespaces: 'unshare failed' }, ['warning namespaces']],
    ['is short of room', { free: 1e8 }, ['warning disk']],
    ['has a control plane', { controlPlane: { version: '0.1.0' } }, []],
    ['has one that is down', { controlPlane: { why: 'not running' } }, ['missing control plane']],
  ] as const satisfies readonly (readonly [string, Partial<MachineFacts>, readonly string[]])[])
    it(what, () => {
      assert.deepEqual(told(judgeMachine({ ...MACHINE, ...facts })), expected);
    });
});

describe('a server', () => {
  for (const [what, facts, more, expected] of [
    ['has all', {}, {}, []],
    ['is not logged in to as root', { root: false }, {}, ['missing login']],
    ['is of another architecture', { arch: undefined, machine: 'riscv64' }, {}, ['missing architecture']],
    ['has musl', { glibc: false }, {}, ['missing C library']],
    [
      'lacks packages',
      { missing: ['runc', 'nftables'] },
      { nft: false },
      ['missing packages', 'missing packet filter'],
    ],
    ['has a containerd that is down', { containerdRunning: false }, {}, ['missing containerd']],
    ['has no systemd', { init: 'script' }, {}, ['warning init']],
    ['is short of room', {}, { freeKib: 1024 ** 2 }, ['warning disk']],
    ['has another time', {}, { clock: 900 }, ['warning clock']],
    ['has an agent', {}, { agent: 'runs' }, []],
    ['has an agent that is down', {}, { agent: 'ended' }, ['missing agent']],
  ] as const satisfies readonly (readonly [string, Partial<ServerFacts>, Partial<MoreFacts>, readonly string[]])[])
    it(what, () => {
      assert.deepEqual(told(judgeServer({ ...SERVER, ...facts }, { ...MORE, ...more }, 1010)), expected);
    });

  it('is read from what it prints', () => {
    assert.deepEqual(
      readMoreFacts('containerd=1.6.20\nfree=100\nnft=yes\nagent=installed\nagent=runs\nclock=5\nnoise\n'),
      { containerd: '1.6.20', freeKib: 100, nft: true, agent: 'runs', clock: 5 },
    );
    assert.equal(readMoreFacts('agent=installed').agent, 'ended');
  });
});

describe('a repository', () => {
  for (const [what, facts, expected] of [
    ['is whole', {}, []],
    ['has no commit', { head: undefined }, ['missing branch']],
    ['does not validate', { errors: 2 }, ['missing manifests']],
    ['has neither settings nor machines', { clusters: 0, machines: 0 }, ['warning Cluster', 'warning machines']],
    ['is encrypted for somebody else', { encrypted: true }, ['warning age key']],
    ['is encrypted for us', { encrypted: true, hasAgeKey: true }, []],
    [
      'has no hooks',
      { hooks: { 'pre-receive': 'none', 'post-receive': { gone: '/n' } } },
      ['warning pre-receive', 'warning post-receive'],
    ],
    [
      'is a checkout, which nobody pushes to',
      { bare: false, hooks: { 'pre-receive': 'none', 'post-receive': 'other' } },
      [],
    ],
  ] as const satisfies readonly (readonly [string, Partial<RepositoryFacts>, readonly string[]])[])
    it(what, () => {
      assert.deepEqual(told(judgeRepository({ ...REPOSITORY, ...facts })), expected);
    });
});
