/** For policies, what a gateway's proxy sends comes from the ingress controllers that people name; nothing else of its node does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterManifest, objectKey, type KubeObject } from '../../../contracts/objects/index.ts';
import { planChange, touchedByAll } from '../../../nodeagent/core/data-plane/assemble.ts';
import { Guards } from '../../../nodeagent/core/data-plane/policy/guards.ts';
import { otherProxyAddresses, ownProxyAddress } from '../../../nodeagent/core/data-plane/policy/proxy-peer.ts';
import { ServiceIndex } from '../../../nodeagent/core/data-plane/service-index.ts';
import { compilePlan } from '../../../nodeagent/core/nftables/compile.ts';
import { wholeRuleset } from '../../../nodeagent/core/nftables/delta.ts';
import { proxyConfig } from '../proxy/configs.ts';
import { applyCommands } from './nft-table.ts';
import { assignmentOf, DNS, place, policy, POD_RANGE, space, tableOf } from './policy-world.ts';
import { tracePacket } from './packet-trace.ts';
import { cluster, node, TestAssignment } from './world.ts';

const TARGET = place('x', 'a', '198.19.1.5', 'n1');
/** Proxy, other processes of the node by the overlay, and of one whose packets come by plain routes. */
const [PROXY, OVERLAY, NODE] = ['198.19.2.1', '198.19.2.0', '198.18.0.2'];

const from = (...peers: readonly object[]) =>
  policy('x', { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ from: peers }] });
const namespaceOf = (name: string) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } });

function admits(
  rule: ReturnType<typeof policy>,
  client: string | undefined,
  ...spaces: readonly ReturnType<typeof space>[]
): boolean {
  const table = tableOf({ policies: [rule], spaces: [space('x'), ...spaces], pods: [TARGET] }, 'n1');
  const packet = { from: client ?? '', to: TARGET.address, port: 80 };
  return tracePacket(table, { addresses: ['198.18.0.1', DNS] }, packet).end === 'delivered';
}

describe('the proxy of another node', () => {
  const controller = { matchLabels: { 'app.kubernetes.io/name': 'ingress-nginx' } };
  const rows: readonly (readonly [string, ReturnType<typeof policy>, boolean])[] = [
    ['the namespace ingress-nginx by its name', from(namespaceOf('ingress-nginx')), true],
    ['pods of the controller there', from({ ...namespaceOf('ingress-nginx'), podSelector: controller }), true],
    ['pods of the controller in all namespaces', from({ namespaceSelector: {}, podSelector: controller }), true],
    ['the namespace of Traefik', from(namespaceOf('traefik')), true],
    ['the namespace of Envoy Gateway', from(namespaceOf('envoy-gateway-system')), true],
    ['all pods of all namespaces', from({ namespaceSelector: {} }), true],
    ['its address', from({ ipBlock: { cidr: '198.19.2.1/32' } }), true],
    [
      'other pods there',
      from({ ...namespaceOf('ingress-nginx'), podSelector: { matchLabels: { app: 'web' } } }),
      false,
    ],
    ['pods of the controller in the own namespace', from({ podSelector: controller }), false],
    ['another namespace', from(namespaceOf('monitoring')), false],
    ['nobody', policy('x', { podSelector: {}, policyTypes: ['Ingress'] }), false],
  ];
  for (const [whom, rule, expected] of rows)
    it(`is ${expected ? '' : 'not '}let in where a policy lets in ${whom}`, () => {
      assert.equal(admits(rule, PROXY), expected);
    });

  it('is let in by labels that the namespace has', () => {
    const rule = from({ namespaceSelector: { matchLabels: { edge: 'yes' } } });
    assert.equal(admits(rule, PROXY), false);
    assert.equal(admits(rule, PROXY, space('traefik', { edge: 'yes' })), true);
  });

  it('is all of its node that is let in', () => {
    const rule = from(namespaceOf('ingress-nginx'));
    assert.deepEqual(
      [OVERLAY, NODE].map((client) => admits(rule, client)),
      [false, false],
    );
  });

  it('is one of a node that may be a gateway', () => {
    const spec = {
      network: { podCIDR: POD_RANGE, serviceCIDR: '198.19.128.0/17' },
      gateway: { nodeSelector: { edge: 'yes' } },
    };
    const edge = node('n3', '198.18.0.3', '198.19.3.0/24');
    const objects: readonly KubeObject[] = [
      ClusterManifest.parse({ apiVersion: 'plumbline.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'lab' }, spec }),
      node('n2', '198.18.0.2', '198.19.2.0/24'),
      { ...edge, metadata: { ...edge.metadata, labels: { edge: 'yes' } } },
    ];
    assert.deepEqual(otherProxyAddresses(new TestAssignment('n1', objects).current()), ['198.19.3.1']);
  });

  it('comes and goes with its node', () => {
    const scene = { policies: [from(namespaceOf('ingress-nginx'))], spaces: [space('x')], pods: [TARGET] };
    const assignment = new TestAssignment('n1', assignmentOf(scene, 'n1'));
    const guards = new Guards();
    const scope = () => ({
      view: assignment.current(),
      pods: { get: () => ({ address: TARGET.address, ready: true, over: false }) },
      addresses: { podRange: POD_RANGE, dns: DNS },
      localRange: '198.19.1.0/24',
    });
    const members = () =>
      [...guards.parts.values()].flatMap((part) =>
        part.is === 'group' ? part.members.map(({ address }) => address) : [],
      );
    guards.change(scope(), 'all');
    assert.deepEqual(members(), ['198.19.2.1', '198.19.3.1']);
    const added = node('n9', '198.18.0.9', '198.19.9.0/24');
    assignment.set(added);
    const change = guards.change(scope(), new Set([objectKey('Node', undefined, 'n9')]));
    assert.equal(change.size, 1);
    assert.deepEqual(members(), ['198.19.2.1', '198.19.3.1', '198.19.9.1']);

    // A Node that changes in what has nothing to do with its proxy costs no look at the sets.
    const { status } = added;
    assignment.set({ ...added, status: { ...status, conditions: [] } });
    const { view, ...rest } = scope();
    const asked: string[] = [];
    const watched = { ...view, get: (key: never) => (asked.push(key), view.get(key)) };
    assert.equal(guards.change({ ...rest, view: watched }, new Set([objectKey('Node', undefined, 'n9')])).size, 0);
    assert.deepEqual(
      asked.filter((key) => key.startsWith('namespaces/')),
      [],
    );
  });
});

describe('the address of a proxy', () => {
  const spaces = [cluster(), node('n2', NODE, '198.19.2.0/24'), node('n1', '198.18.0.1', '198.19.1.0/24')];

  function sent(
    user: number | undefined,
    proxyUser: number | undefined,
    client: string | undefined,
    to: string,
  ): string {
    const view = new TestAssignment('n2', spaces).current();
    const scope = { view, pods: { get: () => undefined }, index: new ServiceIndex(), proxyUser };
    const { policy: settings, forwardings } = planChange(scope, touchedByAll(scope, []));
    const table = applyCommands(
      undefined,
      wholeRuleset(compilePlan({ policy: settings, forwardings, guards: new Map() })).commands,
    );
    const packet = { from: client ?? '', to, port: 80, ...(user !== undefined && { user }) };
    return tracePacket(table, { addresses: [NODE ?? '', PROXY ?? '', OVERLAY ?? ''] }, packet).end;
  }

  it("is no other program's towards pods of other nodes", () => {
    assert.equal(sent(107, 107, PROXY, TARGET.address), 'delivered');
    assert.equal(sent(0, 107, PROXY, TARGET.address), 'dropped');
    assert.equal(sent(107, undefined, PROXY, TARGET.address), 'dropped');
  });

  it('is as any other towards own pods and other machines, as are others towards pods', () => {
    assert.equal(sent(0, 107, PROXY, '198.19.2.7'), 'delivered');
    assert.equal(sent(0, 107, PROXY, '198.18.0.1'), 'delivered');
    assert.equal(sent(0, 107, OVERLAY, TARGET.address), 'delivered');
  });

  it('is there where the node is a gateway', () => {
    assert.equal(ownProxyAddress(new TestAssignment('n2', spaces).current()), undefined);
    const config = { ...proxyConfig([]), metadata: { name: 'n2' } };
    assert.equal(ownProxyAddress(new TestAssignment('n2', [...spaces, config]).current()), PROXY);
  });

  it("is nobody's where a CNI plugin may give it to a pod", () => {
    const config = { ...proxyConfig([]), metadata: { name: 'n2' } };
    const view = new TestAssignment('n2', [...spaces, config, cluster({ overlay: 'cni' })]).current();
    assert.equal(ownProxyAddress(view), undefined);
    assert.deepEqual(otherProxyAddresses(view), []);
  });
});
