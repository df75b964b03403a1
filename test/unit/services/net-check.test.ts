/** What nodes are to try, and what is made of what they say. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NetworkProbe, NetworkProbeResult, NetworkReport } from '../../../contracts/agent/index.ts';
import { NETWORK_LIMITS } from '../../../contracts/agent/network-limits.ts';
import { NetworkPolicyManifest, type Condition, type StoredNode } from '../../../contracts/objects/index.ts';
import { formatNetCheck } from '../../../cli/commands/net-check.ts';
import { endpointSlices } from '../../../reconciler/core/services/endpoints.ts';
import {
  judgeNetCheck,
  planNetCheck,
  type NetCheckPlan,
  type NetCheckReport,
  type NetCheckWorld,
  type NodeWord,
} from '../../../reconciler/core/services/net-check.ts';
import { wordOfNode } from '../../../reconciler/core/services/node-word.ts';
import { machine, node, pod, running, service, TIME } from '../controllers/objects.ts';
import { stored } from '../nodes/stored.ts';

function nodeAt(i: number, ready: 'True' | 'False' = 'True'): StoredNode {
  const made = node(`n${i}`, { ready });
  return stored<'Node'>({
    ...made,
    status: { ...made.status, addresses: [{ type: 'InternalIP', address: `192.0.2.${i}` }] },
  });
}

/** So many nodes with a pod each, and so many Services of them. */
function world(nodes: number, services = 1): NetCheckWorld {
  const pods = Array.from({ length: nodes }, (_, i) =>
    stored<'Pod'>(
      running(pod(`p${i + 1}`, { nodeName: `n${i + 1}` }, { labels: { app: 'web' } }), true, TIME, `10.0.${i + 1}.2`),
    ),
  );
  const made = Array.from({ length: services }, (_, i) =>
    stored<'Service'>(service(`web${i}`, { clusterIP: `10.96.${Math.floor(i / 200)}.${(i % 200) + 2}` })),
  );
  return {
    nodes: Array.from({ length: nodes }, (_, i) => nodeAt(i + 1)),
    machines: [stored<'Machine'>(machine('n2', { port: 2222 }))],
    pods,
    services: made,
    slices: made.flatMap((one) => endpointSlices(one, pods)).map((slice) => stored<'EndpointSlice'>(slice)),
    policies: [],
    domain: 'cluster.local',
  };
}

const WELL: NetworkProbeResult = { outcome: 'answered', ms: 1 };

/** What is made of it when each probe is answered as `say` has it; a name by its Service's address. */
function judged(
  plan: NetCheckPlan,
  say: (from: string, probe: NetworkProbe) => NetworkProbeResult | undefined,
  silent: Readonly<Record<string, string>> = {},
): NetCheckReport {
  const words = new Map<string, NodeWord>();
  for (const [from, checks] of plan.checks)
    words.set(from, {
      results: checks.map(({ probe, subject }) => {
        const told = say(from, probe);
        return told ?? (subject.about === 'name' ? { ...WELL, addresses: [subject.address] } : WELL);
      }),
    });
  for (const [from, why] of Object.entries(silent)) words.set(from, { silent: why });
  return judgeNetCheck(plan, words);
}

const texts = ({ findings }: NetCheckReport): readonly string[] => findings.map(({ text }) => text);
const SILENT: NetworkProbeResult = { outcome: 'silent', ms: 2500 };

describe('what nodes try', () => {
  it('is each other, a pod of each, names and Services', () => {
    const base = world(3);
    const { checks, notTried } = planNetCheck(base);
    const pod = base.pods[0]?.metadata.uid;
    assert.deepEqual(
      checks.get('n1')?.map(({ probe }) => probe),
      [
        { ask: 'connect', address: '192.0.2.2', port: 2222 },
        { ask: 'connect', address: '192.0.2.3', port: 22 },
        { ask: 'connect', address: '10.0.1.2', port: 80 },
        { ask: 'connect', address: '10.0.2.2', port: 80 },
        { ask: 'connect', address: '10.0.3.2', port: 80 },
        { ask: 'resolve', name: 'web0.default.svc.cluster.local' },
        { ask: 'connect', address: '10.96.0.2', port: 80 },
        // Once more in the network of its pod.
        { ask: 'connect', address: '10.0.2.2', port: 80, pod },
        { ask: 'connect', address: '10.0.3.2', port: 80, pod },
        { ask: 'resolve', name: 'web0.default.svc.cluster.local', pod },
        { ask: 'connect', address: '10.96.0.2', port: 80, pod },
      ],
    );
    assert.deepEqual(notTried, []);
  });

  it('is the target of the own node too, by another pod of it; by none that a policy closes for what it opens', () => {
    const base = world(2);
    const more = stored<'Pod'>(running(pod('more', { nodeName: 'n1' }), true, TIME, '10.0.1.3'));
    const by = (plan: NetCheckPlan): readonly unknown[] =>
      [...plan.checks.values()]
        .flat()
        .flatMap(({ pod: of, subject }) =>
          of !== undefined && subject.about === 'pods' ? `${of} to ${subject.pod}` : [],
        );
    const both = { ...base, pods: [...base.pods, more] };
    assert.deepEqual(by(planNetCheck(both)), [
      'default/more to default/p1',
      'default/more to default/p2',
      'default/p2 to default/p1',
    ]);
    const closed = NetworkPolicyManifest.parse({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'closed', namespace: 'default' },
      spec: { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Egress'] },
    });
    const plan = planNetCheck({ ...both, policies: [stored<'NetworkPolicy'>(closed)] });
    assert.deepEqual(by(plan), ['default/more to default/p1', 'default/more to default/p2']);
    assert.deepEqual(plan.notTried, ['from pods of n2: policies close what those that are ready may open']);
  });

  it('leaves out what cannot be told apart from what is meant, and says so', () => {
    const base = world(2);
    const closed = NetworkPolicyManifest.parse({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'closed', namespace: 'default' },
      spec: { podSelector: {} },
    });
    const plan = planNetCheck({
      ...base,
      nodes: [...base.nodes, nodeAt(3, 'False')],
      services: [...base.services, stored<'Service'>(service('none', { clusterIP: '10.96.0.9' }))],
      policies: [stored<'NetworkPolicy'>(closed)],
    });
    assert.deepEqual(plan.notTried, [
      'node n3: it is not ready',
      'pods of n1: policies close all that are ready',
      'pods of n2: policies close all that are ready',
      'Service default/web0: a policy closes endpoints of it',
      'Service default/none: it has no ready endpoint',
    ]);
    assert.deepEqual(
      [...plan.checks.values()].flat().map(({ subject }) => subject.about),
      ['node', 'node'],
    );
  });

  it('is bounded, whatever there is', () => {
    const { checks, notTried } = planNetCheck(world(80, 300));
    assert.equal(checks.size, 50);
    for (const list of checks.values()) assert.ok(list.length <= NETWORK_LIMITS.probes);
    const tried = new Set(
      [...checks.values()].flat().flatMap(({ subject }) => (subject.about === 'node' ? subject.node : [])),
    );
    assert.equal(tried.size, 69);
    assert.deepEqual(notTried, ['from 30 more nodes', '200 more Services']);
  });

  it('is endpoints of the own node alone where the Service is so', () => {
    const base = world(2);
    const local = stored<'Service'>(service('web0', { clusterIP: '10.96.0.2', internalTrafficPolicy: 'Local' }));
    const slices = base.slices.map((slice) => ({ ...slice, endpoints: slice.endpoints.slice(0, 1) }));
    const { checks } = planNetCheck({ ...base, services: [local], slices });
    const byNode = [...checks].map(([from, list]) => [from, list.some(({ subject }) => subject.about === 'service')]);
    assert.deepEqual(byNode, [
      ['n1', true],
      ['n2', false],
    ]);
  });
});

describe('what is made of it', () => {
  const plan = planNetCheck(world(3));

  it('is nothing where all is well; who refuses is there', () => {
    const report = judged(plan, (_from, probe) =>
      probe.ask === 'connect' && !probe.address.startsWith('10.96.') ? { outcome: 'refused', ms: 1 } : undefined,
    );
    assert.deepEqual(report, { tried: 33, well: 33, findings: [], notTried: [] });
    assert.equal(formatNetCheck(report), 'Nothing is broken: 33 of 33 connections and names.');
  });

  it('a machine that nobody reaches is named once, and not again for its pods', () => {
    const report = judged(plan, (from, probe) =>
      from !== 'n2' && probe.ask === 'connect' && ['192.0.2.2', '10.0.2.2'].includes(probe.address)
        ? SILENT
        : undefined,
    );
    assert.deepEqual(texts(report), [
      'node n2 is not reached at 192.0.2.2:2222 from all 2 nodes that tried: no answer',
    ]);
    assert.match(formatNetCheck(report), /27 of 33 connections and names were well\.$/);
  });

  it('pods that are not reached although their machine is', () => {
    const report = judged(plan, (from, probe) =>
      from === 'n1' && probe.ask === 'connect' && probe.address === '10.0.3.2' ? SILENT : undefined,
    );
    assert.deepEqual(texts(report), ['pods of n3 are not reached (default/p3 at 10.0.3.2:80) from n1: no answer']);
    assert.match(report.findings[0]?.hint ?? '', /UDP 8472/);
  });

  it('what machines reach and their pods do not', () => {
    const report = judged(plan, (from, probe) =>
      from === 'n1' && probe.pod !== undefined && probe.ask === 'connect' ? SILENT : undefined,
    );
    assert.deepEqual(texts(report), [
      'pods of n2 are not reached (default/p2 at 10.0.2.2:80) from pods of n1 (default/p1): no answer',
      'pods of n3 are not reached (default/p3 at 10.0.3.2:80) from pods of n1 (default/p1): no answer',
      'Service default/web0:80 is not reached at 10.96.0.2:80 from pods of n1 (default/p1): no answer',
    ]);
    assert.deepEqual([report.tried, report.well], [33, 30]);
  });

  it('what a node says of its network itself', () => {
    const base = world(1);
    const [first] = base.nodes;
    assert.ok(first);
    const message = 'chain inet wall forward drops forwarded packets';
    const condition: Condition = { type: 'NetworkUnavailable', status: 'True', reason: 'NetworkSyncFailed', message };
    const conditions = [...(first.status?.conditions ?? []), condition];
    const told = planNetCheck({
      ...base,
      nodes: [stored<'Node'>({ ...first, status: { ...first.status, conditions } })],
    });
    assert.deepEqual(texts(judged(told, () => undefined)), [`node n1 says of its network: ${message}`]);
  });

  it('a name that is wrong, a Service that refuses, an agent that is silent', () => {
    const report = judged(
      plan,
      (from, probe) =>
        probe.ask === 'resolve'
          ? from === 'n1'
            ? { ...WELL, addresses: ['10.96.0.66'] }
            : undefined
          : probe.address.startsWith('10.96.')
            ? { outcome: 'refused', ms: 1 }
            : undefined,
      { n3: 'no connection' },
    );
    assert.deepEqual(texts(report), [
      'node n3 was not asked: no connection',
      'the name of Service default/web0 is not resolved on n1: answered with 10.96.0.66 instead of 10.96.0.2',
      'Service default/web0:80 is not reached at 10.96.0.2:80 from n1, n2: refused',
    ]);
    assert.match(report.findings[2]?.hint ?? '', /plumb explain service\/web0 -n default/);
  });
});

describe("a node's word on a Service", () => {
  const report: NetworkReport = {
    assignmentVersion: '2',
    networkVersion: '2',
    networkError: null,
    known: true,
    held: [],
    forwardings: [{ port: 'http', protocol: 'TCP', at: ['10.96.0.2:80'], to: ['10.0.0.1:8080'], more: 2 }],
  };
  for (const [what, change, inForce, says] of [
    ['all in force', {}, true, 'http/TCP to 10.0.0.1:8080 and 2 more'],
    [
      'a newer one on its way',
      { assignmentVersion: '3' },
      true,
      'http/TCP to 10.0.0.1:8080 and 2 more (a newer version is on its way)',
    ],
    ['rules that failed', { networkError: 'nft: no' }, false, 'its rules are of version 2: nft: no'],
    ['no rules', { networkVersion: null }, false, 'it has no rules yet'],
    ['a Service that it has not heard of', { known: false }, false, 'it was not told of the Service yet'],
    [
      'nobody behind it',
      { forwardings: [{ port: '80', protocol: 'TCP' as const, at: [], to: [], more: 0 }] },
      true,
      '80/TCP to nobody',
    ],
  ] as const)
    it(what, () => assert.deepEqual(wordOfNode({ ...report, ...change } as NetworkReport), { inForce, says }));
});
