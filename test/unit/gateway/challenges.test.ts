import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  objectKey,
  type Challenge,
  type ProxyHost,
  type ProxyPort,
  type ProxyRule,
} from '../../../contracts/objects/index.ts';
import { notPresented, withChallenges } from '../../../reconciler/core/gateway/challenges.ts';
import { NODES, Scene } from './scene.ts';

const GATEWAY = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: default}
spec:
  gatewayClassName: plumbline
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: default}
spec:
  parentRefs: [{name: edge}]
  hostnames: [web.example.com]
  rules: [{backendRefs: [{name: web, port: 80}]}]
`;

function challenge(dnsName: string, token = 'token'): Challenge {
  return {
    apiVersion: 'acme.cert-manager.io/v1',
    kind: 'Challenge',
    metadata: { name: `c-${token}`, namespace: 'default' },
    spec: {
      url: 'https://acme.example.com/1',
      authorizationURL: 'https://acme.example.com/2',
      dnsName,
      wildcard: false,
      type: 'HTTP-01',
      token,
      key: `${token}.print`,
      issuerRef: { name: 'a', kind: 'Issuer', group: 'cert-manager.io' },
    },
    status: { processing: false, presented: false, state: 'pending' },
  };
}

/** What answers a token at a name, and the rules after it. */
function answerAt(scene: Scene, hostname: string, port = 80): readonly string[] {
  const ports = scene.world.get(objectKey('ProxyConfig', undefined, 'n1'))?.spec.ports ?? [];
  const host = ports.find((one) => one.port === port)?.hosts.find((one) => one.hostname === hostname);
  return (host?.rules ?? []).map(({ action, match }) =>
    action.type === 'answer' ? `${match.path?.type} ${match.path?.value} ${action.body}` : action.type,
  );
}
const SHOWN = 'exact /.well-known/acme-challenge/token token.print';

describe('challenges', () => {
  it('are answered before the rules of their name', () => {
    const scene = new Scene(GATEWAY);
    scene.world.put(challenge('web.example.com'));
    scene.world.settle();
    assert.deepEqual(answerAt(scene, 'web.example.com'), [SHOWN, 'forward']);
    scene.remove('Challenge', 'c-token');
    assert.deepEqual(answerAt(scene, 'web.example.com'), ['forward']);
  });

  it('are answered where nothing else is served, and no longer than they are open', () => {
    const scene = new Scene();
    scene.world.put(challenge('new.example.com'));
    scene.world.settle();
    assert.deepEqual(answerAt(scene, 'new.example.com'), [SHOWN]);
    scene.world.put({
      ...challenge('new.example.com'),
      status: { processing: false, presented: true, state: 'valid' },
    });
    scene.world.settle();
    assert.deepEqual(scene.world.list('ProxyConfig'), []);
  });

  const rule = (origin: string): readonly ProxyRule[] => [
    { origin, match: {}, filters: [], action: { type: 'answer', status: 200 } },
  ];
  const stored = (one: Challenge) => ({
    ...one,
    metadata: { ...one.metadata, uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' },
  });
  const hosts: readonly ProxyHost[] = [
    { hostname: '*.a.example.com', oneLabel: true, rules: rule('one label') },
    { hostname: '*.example.com', rules: rule('wild') },
    { hostname: '', rules: rule('any') },
  ];
  const wider: readonly (readonly [string, string])[] = [
    ['x.a.example.com', 'one label'],
    ['x.y.a.example.com', 'wild'],
    ['example.com', 'any'],
    ['example.org', 'any'],
  ];
  for (const [name, origin] of wider)
    it(`${name} goes on to have the rules of ${origin}`, () => {
      const ports: readonly ProxyPort[] = [
        { port: 443, protocol: 'https', hosts },
        { port: 80, protocol: 'http', hosts },
      ];
      const made = withChallenges(ports, 80, [stored(challenge(name))]);
      const [plain, secure] = made;
      assert.deepEqual(secure?.hosts, hosts);
      const found = plain?.hosts.find(({ hostname }) => hostname === name);
      assert.deepEqual(
        found?.rules?.map((one) => one.origin),
        ['challenge/default/c-token', origin],
      );
      assert.equal(plain?.hosts.length, 4);
    });

  it('leave a port that has another protocol as it is', () => {
    const ports: readonly ProxyPort[] = [{ port: 80, protocol: 'tcp', hosts: [] }];
    assert.deepEqual(withChallenges(ports, 80, [stored(challenge('a.example.com'))]), ports);
  });

  it('are shown once the proxies of all nodes tell that they follow', () => {
    const scene = new Scene(GATEWAY);
    scene.world.put(challenge('web.example.com'));
    const why = (): string | undefined => {
      const { world } = scene;
      const open = world.get(objectKey('Challenge', 'default', 'c-token'));
      assert.ok(open);
      return notPresented(open, world.list('ProxyConfig'), world.list('Node'));
    };
    assert.equal(why(), 'the proxy of node n1 does not answer it yet');
    scene.world.settle();
    assert.equal(why(), 'the proxy of node n1 does not answer it yet');
    scene.follow();
    assert.equal(why(), undefined);
    scene.follow([{ port: 80, message: 'port 80 is in use' }]);
    assert.equal(why(), 'node n1: port 80 is in use');
    scene.follow([{ port: 443, message: 'port 443 is in use' }]);
    assert.equal(why(), undefined);
    for (const name of NODES) {
      const node = scene.world.get(objectKey('Node', undefined, name));
      assert.ok(node);
      scene.world.put({ ...node, spec: { unschedulable: true } });
    }
    assert.match(why() ?? '', /^no gateway node is ready/);
  });
});
