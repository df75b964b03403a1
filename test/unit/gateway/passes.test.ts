/** What a pass over all Gateways is made for: a change of what the last one saw, and nothing else. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectKey } from '../../../contracts/objects/index.ts';
import { serviceController } from '../../../reconciler/controllers/service.ts';
import { cluster } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { certificate, gateway, httpRoute, Scene, service, to } from './scene.ts';

const HTTPS = '{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: web}]}}';
const nodePort = (port: number, name = 'node', more = 'type: NodePort'): string =>
  `{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {${more}, selector: {app: a}, ports: [{port: 80, nodePort: ${port}}]}}`;
const namespace = (labels: string): string =>
  `{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {${labels}}}}`;
const FROM_SELECTED = `{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {edge: 'yes'}}}}}`;

function scene(): Scene {
  return new Scene(
    gateway(`${FROM_SELECTED}, ${HTTPS}`),
    certificate('web'),
    namespace(`edge: 'yes'`),
    httpRoute('web', to('web'), 'parentRefs: [{name: edge, sectionName: http}]'),
  ).follow();
}

/** Passes that follow. */
function passes(on: Scene, change: (on: Scene) => void): number {
  const settle = on.world.settle.bind(on.world);
  let made = 0;
  on.world.settle = () => (made += settle());
  change(on);
  on.world.settle = settle;
  return made;
}

describe('a pass over all Gateways', () => {
  const none: readonly (readonly [string, (on: Scene) => void])[] = [
    ['a Service that no route names', (on) => on.add(service('other'))],
    ['a Service that is named, where it is the same port', (on) => on.add(service('web').replace('app: a', 'app: b'))],
    ['a Secret that nothing names', (on) => on.add(certificate('other'))],
    ['a Namespace without a route', (on) => on.add('{apiVersion: v1, kind: Namespace, metadata: {name: other}}')],
    ['a node port that no listener has', (on) => on.add(nodePort(30_080))],
    [
      'what a node tells of anything but its proxy',
      ({ world }) => {
        const node = world.get(objectKey('Node', undefined, 'n1'));
        if (node) world.put({ ...node, status: { ...node.status, images: [] } });
        world.settle();
      },
    ],
  ];
  for (const [what, change] of none)
    it(`is not made for ${what}`, () => {
      const one = scene();
      assert.equal(passes(one, change), 0);
    });

  const some: readonly (readonly [string, (on: Scene) => void, (on: Scene) => string, string])[] = [
    [
      'a Service that is named is gone',
      (on) => on.remove('Service', 'web'),
      (on) => on.route('HTTPRoute', 'web', 'ResolvedRefs'),
      'False BackendNotFound',
    ],
    [
      'a Service has its port no more',
      (on) => on.add(service('web', 'default', '[{port: 81}]')),
      (on) => on.route('HTTPRoute', 'web', 'ResolvedRefs'),
      'False BackendNotFound',
    ],
    [
      'a Secret is no certificate any more',
      (on) => on.add(certificate('web', 'default', true)),
      (on) => on.gateway('ResolvedRefs', 'https'),
      'False InvalidCertificateRef',
    ],
    [
      'a Namespace has other labels',
      (on) => on.add(namespace(`edge: 'no'`)),
      (on) => on.route('HTTPRoute', 'web', 'Accepted'),
      'False NotAllowedByListeners',
    ],
    [
      'a node tells of its proxy',
      (on) => on.follow([{ message: 'broken' }]),
      (on) => on.gateway('Programmed'),
      'False Invalid',
    ],
    [
      'a Service has the port of a listener as its node port',
      (on) => on.add(nodePort(80)),
      (on) => on.gateway('Accepted', 'http'),
      'False PortUnavailable',
    ],
  ];
  for (const [what, change, told, word] of some)
    it(`is made when ${what}`, () => {
      const one = scene();
      assert.notEqual(told(one), word);
      change(one);
      assert.equal(told(one), word);
    });

  it('is made when a node port gives a listener its port back', () => {
    const one = scene().add(nodePort(80)).add(nodePort(30_080)).follow();
    assert.equal(one.gateway('Programmed', 'http'), 'True Programmed');
    assert.equal(
      one.add(nodePort(80, 'alb', 'type: LoadBalancer')).gateway('Accepted', 'http'),
      'False PortUnavailable',
    );
    assert.equal(one.remove('Service', 'alb').gateway('Accepted', 'http'), 'True Accepted');
  });

  it('writes again what others made of a status', () => {
    const one = scene();
    const { status: _status, ...route } = one.get('HTTPRoute', 'web');
    one.world.put({ ...route, status: { parents: [] } });
    one.world.settle();
    assert.equal(one.route('HTTPRoute', 'web', 'Accepted'), 'True Accepted');
  });
});

describe('a node port', () => {
  it('is never given out where a listener has it', () => {
    const world = new World([serviceController]);
    world.put(cluster({ network: { nodePortRange: '30000-30003' } }));
    const listeners = [30_000, 30_001, 30_002].map((port) => `{name: p${port}, port: ${port}, protocol: HTTP}`);
    const written = new Scene(gateway(listeners.join(', ')), nodePort(0).replace(', nodePort: 0', ''));
    world.put(written.get('Gateway', 'edge'));
    world.put(written.get('Service', 'node'));
    world.settle();
    assert.equal(world.get(objectKey('Service', 'default', 'node'))?.spec.ports[0]?.nodePort, 30_003);
  });
});
