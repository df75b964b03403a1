import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf, type KubeObject, type Service, type Stored } from '../../../contracts/objects/index.ts';
import { parseManifest, type DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { recoverProxies } from '../../../reconciler/core/nodes/recovered-proxies.ts';
import { cluster, machine, node, service } from '../controllers/objects.ts';
import { gateway, httpRoute, Scene, to } from '../gateway/scene.ts';
import { stored } from './stored.ts';

const TLS = '{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}';
const HTTP = '{name: http, port: 80, protocol: HTTP}';

function applied(...texts: readonly string[]): DesiredState {
  const objects: readonly KubeObject[] = texts.flatMap((text) =>
    parseManifest('a.yaml', '0', new TextEncoder().encode(text)).objects.map(({ object }) => object),
  );
  return new Map(
    objects.map((object) => [
      keyOf(object),
      { key: keyOf(object), object, written: { ...object }, position: { file: 'a.yaml', line: 1, column: 1 } },
    ]),
  );
}

function recovered(state: DesiredState, selector?: Readonly<Record<string, string>>) {
  const address = { addresses: [{ type: 'InternalIP' as const, address: '192.0.2.1' }] };
  const web: Service = service('web', { ports: [{ name: 'http', port: 80 }] });
  return recoverProxies({
    applied: state,
    settings: cluster({ gateway: { ...(selector && { nodeSelector: selector }) } }).spec,
    machines: [machine('n1', { labels: { edge: 'yes' } }), machine('n2')],
    nodes: ['n1', 'n2'].map((name) => ({ ...node(name), status: address })),
    services: [stored<'Service'>(web) satisfies Stored],
    incarnation: 'i',
    now: new Date('2026-01-01T00:00:00Z'),
  });
}

describe('proxies after the store was lost', () => {
  it('do what they did, with Secrets that only the nodes have', () => {
    const [first, second] = recovered(applied(gateway(`${HTTP}, ${TLS}`), httpRoute('web', to('web'))));
    assert.deepEqual([first?.metadata.name, second?.metadata.name], ['n1', 'n2']);
    const [plain, secure] = first?.spec.ports ?? [];
    assert.equal(plain?.hosts[0]?.rules?.[0]?.origin, 'httproute/default/web rule 0');
    assert.deepEqual(secure?.hosts[0]?.certificates, [{ namespace: 'default', name: 'cert' }]);
  });

  it('are those that the controller makes of the same', () => {
    const manifests = [gateway(HTTP), httpRoute('web', to('web'))];
    assert.deepEqual(recovered(applied(...manifests))[0]?.spec, new Scene(...manifests).spec());
  });

  it('are on the nodes with the labels of their machines, and none where nothing is served', () => {
    assert.deepEqual(
      recovered(applied(gateway(HTTP)), { edge: 'yes' }).map(({ metadata }) => metadata.name),
      ['n1'],
    );
    assert.deepEqual(recovered(applied(httpRoute('web', to('web')))), []);
  });
});
