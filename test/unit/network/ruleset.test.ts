import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { EndpointSlice, KubeObject, Service } from '../../../contracts/objects/index.ts';
import { applyCommands } from '../../../nodeagent/adapters/memory/packet-filter.ts';
import { compileChanges } from '../../../nodeagent/core/nftables/compile.ts';
import { changeRuleset, EMPTY_RULESET, renderWhole } from '../../../nodeagent/core/nftables/delta.ts';
import { renderTransaction } from '../../../nodeagent/core/nftables/render.ts';
import { ServiceIndex } from '../../../nodeagent/core/nftables/service-index.ts';
import type { Ruleset } from '../../../nodeagent/core/nftables/model.ts';
import { tracePacket, type Outcome, type Packet } from './packet-trace.ts';
import { cluster, endpoint, node, service, slice, TestAssignment } from './world.ts';

/** This node: 198.18.0.1, pods in 198.19.1.0/24. */
const NODES = [node('n1', '198.18.0.1', '198.19.1.0/24'), node('n2', '198.18.0.2', '198.19.2.0/24')];
const HERE = '198.19.1.5';
const ELSEWHERE = '198.19.2.5';
const CLUSTER_IP = '198.19.128.10';

function rulesetOf(...objects: KubeObject[]): Ruleset {
  const view = new TestAssignment('n1', [cluster(), ...NODES, ...objects]).current();
  const index = new ServiceIndex();
  return changeRuleset(EMPTY_RULESET, compileChanges(view, index, index.reset(view), true)).next;
}

function ends(objects: readonly KubeObject[], packet: Packet): Outcome {
  return tracePacket(applyCommands(undefined, renderWhole(rulesetOf(...objects))), { addresses: ['198.18.0.1', '198.19.1.1'] }, packet);
}

function delivered(to: string, masqueraded = false): Outcome {
  return { end: 'delivered', to: [to], masqueraded: [masqueraded] };
}

function web(...endpoints: Parameters<typeof slice>[1][number][]): [Service, EndpointSlice] {
  const web = service('web', CLUSTER_IP, [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080 }]);
  return [web, slice(web, endpoints)];
}

describe('where a packet ends', () => {
  const both = web(endpoint(HERE), endpoint(ELSEWHERE));
  const here = web(endpoint(HERE));
  const elsewhere = web(endpoint(ELSEWHERE));
  const dns = service('dns', '198.19.128.53', [{ name: 'dns', port: 53, protocol: 'UDP' }]);
  const cases: readonly (readonly [string, readonly KubeObject[], Packet, Outcome])[] = [
    ['pod to ClusterIP, endpoint elsewhere: source kept', elsewhere, { from: '198.19.1.9', to: CLUSTER_IP, port: 80 }, delivered(`${ELSEWHERE}:8080`)],
    ['pod to ClusterIP, endpoint here', here, { from: '198.19.1.9', to: CLUSTER_IP, port: 80 }, delivered(`${HERE}:8080`)],
    ['hairpin', here, { from: HERE, to: CLUSTER_IP, port: 80 }, delivered(`${HERE}:8080`, true)],
    ['hairpin by node port', here, { from: HERE, to: '198.18.0.1', port: 30080 }, delivered(`${HERE}:8080`, true)],
    ['a pod that may meet itself or not', both, { from: HERE, to: CLUSTER_IP, port: 80 }, { end: 'delivered', to: [`${HERE}:8080`, `${ELSEWHERE}:8080`], masqueraded: [true, false] }],
    ['node to ClusterIP, endpoint here', here, { from: '198.18.0.1', to: CLUSTER_IP, port: 80 }, delivered(`${HERE}:8080`)],
    ['node to ClusterIP, endpoint elsewhere', elsewhere, { from: '198.18.0.1', to: CLUSTER_IP, port: 80 }, delivered(`${ELSEWHERE}:8080`, true)],
    ['node port from outside, endpoint here: client address kept', here, { from: '198.18.9.9', to: '198.18.0.1', port: 30080 }, delivered(`${HERE}:8080`)],
    ['node port from outside, endpoint elsewhere', elsewhere, { from: '198.18.9.9', to: '198.18.0.1', port: 30080 }, delivered(`${ELSEWHERE}:8080`, true)],
    ['another node\'s pod by our node port', elsewhere, { from: '198.19.2.7', to: '198.18.0.1', port: 30080 }, delivered(`${ELSEWHERE}:8080`, true)],
    ['node port on loopback is left alone', here, { from: '127.0.0.1', to: '127.0.0.1', port: 30080 }, delivered('127.0.0.1:30080')],
    ['node port number on a foreign address is left alone', here, { from: HERE, to: '198.18.0.2', port: 30080 }, delivered('198.18.0.2:30080')],
    ['pod to pod', here, { from: HERE, to: ELSEWHERE, port: 1 }, delivered(`${ELSEWHERE}:1`)],
    ['pod to node', here, { from: HERE, to: '198.18.0.2', port: 22 }, delivered('198.18.0.2:22')],
    ['pod to the world', here, { from: HERE, to: '192.0.2.1', port: 443 }, delivered('192.0.2.1:443', true)],
    ['no slice', [here[0]], { from: HERE, to: CLUSTER_IP, port: 80 }, { end: 'rejected', with: 'reset' }],
    ['no slice, from the node', [here[0]], { from: '198.18.0.1', to: CLUSTER_IP, port: 80 }, { end: 'rejected', with: 'reset' }],
    ['no slice, node port from outside', [here[0]], { from: '198.18.9.9', to: '198.18.0.1', port: 30080 }, { end: 'rejected', with: 'reset' }],
    ['a port that the Service has not', here, { from: HERE, to: CLUSTER_IP, port: 81 }, { end: 'rejected', with: 'reset' }],
    ['no endpoint, UDP', [dns], { from: HERE, to: '198.19.128.53', port: 53, protocol: 'UDP' }, { end: 'rejected', with: 'unreachable' }],
    ['UDP', [dns, slice(dns, [endpoint(ELSEWHERE)], 'a', 5353)], { from: HERE, to: '198.19.128.53', port: 53, protocol: 'UDP' }, delivered(`${ELSEWHERE}:5353`)],
    ['TCP on a UDP Service', [dns, slice(dns, [endpoint(ELSEWHERE)])], { from: HERE, to: '198.19.128.53', port: 53 }, { end: 'rejected', with: 'reset' }],
    ['not ready', web(endpoint(HERE, 'unready')), { from: '198.19.1.9', to: CLUSTER_IP, port: 80 }, { end: 'rejected', with: 'reset' }],
    ['ready before terminating', web(endpoint(HERE, 'terminating'), endpoint(ELSEWHERE)), { from: '198.19.1.9', to: CLUSTER_IP, port: 80 }, delivered(`${ELSEWHERE}:8080`)],
    ['terminating where nothing is ready', web(endpoint(HERE, 'terminating'), endpoint(ELSEWHERE, 'unready')), { from: '198.19.1.9', to: CLUSTER_IP, port: 80 }, delivered(`${HERE}:8080`)],
  ];
  for (const [name, objects, packet, outcome] of cases) it(name, () => { assert.deepEqual(ends(objects, packet), outcome); });

  it('adds up several slices and drops doubles', () => {
    const [svc] = here;
    const objects = [svc, slice(svc, [endpoint(HERE), endpoint(ELSEWHERE)], 'a'), slice(svc, [endpoint(ELSEWHERE), endpoint('198.19.2.6')], 'b')];
    assert.deepEqual(ends(objects, { from: '198.19.1.9', to: CLUSTER_IP, port: 80 }), {
      end: 'delivered', to: [`${HERE}:8080`, `${ELSEWHERE}:8080`, '198.19.2.6:8080'], masqueraded: [false, false, false],
    });
  });

  it('sends a client of a sticky Service where it was before', () => {
    const svc = service('cart', CLUSTER_IP, [{ port: 80 }], { sessionAffinity: 'ClientIP' });
    const table = applyCommands(undefined, renderWhole(rulesetOf(svc, slice(svc, [endpoint(HERE), endpoint(ELSEWHERE)]))));
    const set = [...table.containers.values()].find((c) => c.timeoutSeconds === 10_800 && c.name.includes(ELSEWHERE));
    assert.ok(set);
    const stuck = { ...table, elements: new Map([...table.elements, [set.name, new Map([['198.19.1.9', undefined]])]]) };
    const trace = (from: string): Outcome => tracePacket(stuck, { addresses: ['198.18.0.1'] }, { from, to: CLUSTER_IP, port: 80 });
    assert.deepEqual(trace('198.19.1.9'), delivered(`${ELSEWHERE}:8080`));
    assert.deepEqual(trace('198.19.1.10'), { end: 'delivered', to: [`${HERE}:8080`, `${ELSEWHERE}:8080`], masqueraded: [false, false] });
  });

  it('gives a node port that two Services claim to the first by name', () => {
    const second = service('zweb', '198.19.128.11', [{ port: 80, nodePort: 30080 }]);
    const objects = [...here, second, slice(second, [endpoint('198.19.1.77')])];
    assert.deepEqual(ends(objects, { from: '198.18.9.9', to: '198.18.0.1', port: 30080 }), delivered(`${HERE}:8080`));
  });
});

describe('the text', () => {
  it('is this, for one Service', () => {
    assert.equal(renderTransaction('plumbline', renderWhole(rulesetOf(...web(endpoint(HERE), endpoint(ELSEWHERE)))), '7'), readFileSync(new URL('golden/one-service.nft', import.meta.url), 'utf8'));
  });

  it('is one chain when one endpoint of one of 2,000 Services changes', () => {
    const services = Array.from({ length: 2000 }, (_, i) => service(`s${i}`, `198.19.${128 + (i >> 8)}.${i & 255}`, [{ port: 80 }]));
    const before = rulesetOf(...services.flatMap((s) => [s, slice(s, [endpoint(ELSEWHERE), endpoint('198.19.2.6')])]));
    const changed = services[1234] as Service;
    const view = new TestAssignment('n1', [cluster(), ...NODES, changed, slice(changed, [endpoint(ELSEWHERE), endpoint('198.19.2.6', 'unready')])]).current();
    const index = new ServiceIndex();
    const { commands } = changeRuleset(before, compileChanges(view, index, index.update(view, ['EndpointSlice/default/s1234-a']), false));
    assert.equal(renderTransaction('plumbline', commands, '8'), [
      'flush chain ip plumbline svc-s1234-80-4d170580', 'add rule ip plumbline svc-s1234-80-4d170580 meta l4proto tcp meta mark set meta mark | 0x2000 dnat to 198.19.2.5:8080',
      'add chain ip plumbline anchor', 'add chain ip plumbline generation', 'flush chain ip plumbline generation',
      'add rule ip plumbline generation jump anchor comment "8"', '',
    ].join('\n'));
  });

  it('is the same whatever the order of the objects', () => {
    const objects = [...web(endpoint(HERE)), service('b', '198.19.128.20', [{ port: 1 }]), service('a', '198.19.128.21', [{ port: 1 }])];
    assert.deepEqual(renderWhole(rulesetOf(...objects)), renderWhole(rulesetOf(...objects.toReversed())));
  });
});
