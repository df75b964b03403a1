/** Addresses of load balancers, after the store was lost: by what the nodes tell, within the pools of the repository. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IPAddressPoolManifest, keyOf, type KubeObject } from '../../../contracts/objects/index.ts';
import { Claim } from '../../../contracts/agent/index.ts';
import type { DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { recoverState } from '../../../reconciler/core/nodes/recovered-state.ts';
import { cluster, machine, service } from '../controllers/objects.ts';

const pool = IPAddressPoolManifest.parse({
  apiVersion: 'metallb.io/v1beta1',
  kind: 'IPAddressPool',
  metadata: { name: 'home', namespace: 'default' },
  spec: { addresses: ['198.18.50.0/28'] },
});

const state = (...objects: readonly KubeObject[]): DesiredState =>
  new Map(
    objects.map((object) => [
      keyOf(object),
      { key: keyOf(object), object, written: { ...object }, position: { file: 'all.yaml', line: 1, column: 1 } },
    ]),
  );

/** A node's word of a Service's addresses. */
function told(name: string, ...ips: readonly string[]): Claim {
  return Claim.parse({
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { clusterIP: '10.96.0.9', ports: [{ port: 80, protocol: 'TCP' }] },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
  });
}

/** `NAME ADDRESS` of every Service that has an address after the words of nodes a, b, c ... */
function recovered(applied: DesiredState, ...words: readonly (readonly Claim[])[]): readonly string[] {
  const { objects } = recoverState({
    words: words.map((claims, index) => ({ node: 'abc'[index] ?? '', claims, pods: [] })),
    silent: [],
    machines: ['a', 'b', 'c'].map((name) => machine(name)),
    source: { name: 'main', url: 'git', branch: 'main' },
    appliedRevision: 'f'.repeat(40),
    applied,
    templates: new Map(),
    incarnation: 'i',
    now: new Date('2026-03-01T12:00:00Z'),
  });
  return objects.flatMap((object) =>
    object.kind === 'Service'
      ? (object.status?.loadBalancer?.ingress ?? []).map(({ ip }) => `${object.metadata.name} ${ip}`)
      : [],
  );
}

describe('the address of a load balancer after the store was lost', () => {
  const web = service('web', { type: 'LoadBalancer' });
  const GOOD = '198.18.50.3';
  const LIE = '198.18.50.4';
  const inGit = state(cluster(), pool, web);
  const cases: readonly (readonly [string, DesiredState, readonly (readonly Claim[])[], readonly string[]])[] = [
    ['is the one that all nodes tell', inGit, [[told('web', GOOD)], [told('web', GOOD)], []], [`web ${GOOD}`]],
    [
      'is the one that most nodes tell',
      inGit,
      [[told('web', LIE)], [told('web', GOOD)], [told('web', GOOD)]],
      [`web ${GOOD}`],
    ],
    [
      'is not that of a node that tells it again and again',
      inGit,
      [[told('web', LIE, LIE, LIE, LIE), told('web', LIE), told('web', LIE)], [told('web', GOOD)], [told('web', GOOD)]],
      [`web ${GOOD}`],
    ],
    [
      'is none outside of the pools, whoever tells it',
      inGit,
      [[told('web', '198.18.51.1')], [told('web', '198.18.51.1')], [told('web', GOOD)]],
      [`web ${GOOD}`],
    ],
    ['is not there where the repository has no pool any more', state(cluster(), web), [[told('web', GOOD)]], []],
    [
      'is not there for a Service that is no load balancer any more',
      state(cluster(), pool, service('web')),
      [[told('web', GOOD)]],
      [],
    ],
    [
      'is kept by Services that share it',
      state(cluster(), pool, web, service('too', { type: 'LoadBalancer' })),
      [[told('web', GOOD), told('too', GOOD)]],
      [`too ${GOOD}`, `web ${GOOD}`],
    ],
  ];
  for (const [name, applied, words, wanted] of cases)
    it(name, () => {
      assert.deepEqual([...recovered(applied, ...words)].sort(), wanted);
    });
});
