/** What a NetworkPolicy may say. Source: Kubernetes, pkg/apis/networking/validation/validation_test.go. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NetworkPolicyManifest } from '../../../contracts/objects/index.ts';
import { formatDiagnostic, parseManifest } from '../../../reconciler/core/manifests/index.ts';

function told(spec: object): readonly string[] {
  const manifest = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'policy', namespace: 'default' },
    spec,
  };
  const { diagnostics } = parseManifest('f.yaml', 'oid', new TextEncoder().encode(JSON.stringify(manifest)));
  return diagnostics.map((one) => formatDiagnostic(one));
}
const from = (...peers: readonly object[]): object => ({ ingress: [{ from: peers }] });
const at = (...ports: readonly object[]): object => ({ egress: [{ ports }] });
const block = (cidr: string, ...except: readonly string[]): object => from({ ipBlock: { cidr, except } });
const LABELS = { matchLabels: { a: 'b' } };

describe('a NetworkPolicy that is right', () => {
  const RIGHT: Readonly<Record<string, object>> = {
    'says nothing': {},
    'selects all and allows all': { podSelector: {}, ingress: [{}], egress: [{}], policyTypes: ['Ingress', 'Egress'] },
    'has empty lists': { podSelector: LABELS, ingress: [{ from: [], ports: [] }] },
    'has peers of all forms': from(
      { podSelector: LABELS },
      { namespaceSelector: LABELS },
      { namespaceSelector: {}, podSelector: {} },
      { ipBlock: { cidr: '192.168.0.0/16', except: ['192.168.3.0/24', '192.168.4.0/24'] } },
    ),
    'has ports of all forms': at(
      {},
      { port: 80 },
      { protocol: 'UDP', port: 32_000, endPort: 32_768 },
      { protocol: 'SCTP', port: 'replication' },
      { port: 80, endPort: 80 },
    ),
    'has expressions': { podSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] } },
  };
  for (const [what, spec] of Object.entries(RIGHT))
    it(what, () => {
      assert.deepEqual(told(spec), []);
    });
});

describe('a NetworkPolicy that is wrong', () => {
  const WRONG: readonly (readonly [string, object, RegExp])[] = [
    ['a peer of nothing', from({}), /spec\.ingress\[0\]\.from\[0\] needs podSelector, namespaceSelector or ipBlock/],
    [
      'a block beside a selector',
      from({ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }),
      /ipBlock may not be set beside a selector/,
    ],
    ['a block that is none', block('10.0.0.0'), /cidr must be a range/],
    ['a block of the other family', block('fd00::/8'), /cidr must be a range .*one address family/],
    ['a block without a range', from({ ipBlock: {} }), /cidr/],
    ['a part that is no range', block('10.0.0.0/8', 'x'), /except\[0\] must be a range/],
    ['a part outside', block('10.0.0.0/8', '11.0.0.0/16'), /except\[0\] must be a strict part of cidr 10\.0\.0\.0\/8/],
    ['a part that is the whole', block('10.0.0.0/8', '10.0.0.0/8'), /except\[0\] must be a strict part/],
    ['a protocol that is none', at({ protocol: 'ICMP', port: 80 }), /protocol/],
    ['port 0', at({ port: 0 }), /port/],
    ['a port that is too high', at({ port: 123_456 }), /port/],
    ['a number as text', at({ port: '80' }), /remove the quotes: port: 80/],
    ['a name that is none', at({ port: '!' }), /port/],
    ['an end before the port', at({ port: 80, endPort: 79 }), /endPort must be at least port \(80\), found 79/],
    ['an end that is too high', at({ port: 80, endPort: 65_536 }), /endPort/],
    ['an end of a name', at({ port: 'web', endPort: 99 }), /endPort may not be set beside the name of a port/],
    ['an end of nothing', at({ endPort: 99 }), /endPort may not be set without port/],
    ['a type that is none', { policyTypes: ['Both'] }, /policyTypes/],
    [
      'three types',
      { policyTypes: ['Ingress', 'Egress', 'Ingress'] },
      /policyTypes may not have more than two entries/,
    ],
    [
      'an expression without values',
      { podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
      /values must have at least one entry/,
    ],
    ['a label that is none', { podSelector: { matchLabels: { a: '!' } } }, /matchLabels/],
    ['a field that is none', { tier: 'x' }, /tier/],
    [
      'rules that do nothing',
      { policyTypes: ['Ingress'], egress: [{}] },
      /egress does nothing: policyTypes does not have Egress/,
    ],
  ];
  for (const [what, spec, words] of WRONG)
    it(what, () => {
      const found = told(spec);
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', words);
    });
});

it('the types of a NetworkPolicy that says none follow its rules', () => {
  const types = (spec: object): readonly string[] =>
    NetworkPolicyManifest.parse({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'policy' },
      spec,
    }).spec.policyTypes;
  assert.deepEqual(types({}), ['Ingress']);
  assert.deepEqual(types({ egress: [] }), ['Ingress']);
  assert.deepEqual(types({ egress: [{}], policyTypes: [] }), ['Ingress', 'Egress']);
  assert.deepEqual(types({ ingress: [{}], policyTypes: ['Egress'] }), ['Egress']);
});
