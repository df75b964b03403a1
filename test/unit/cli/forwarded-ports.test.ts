/** What ports on the command line come to. Source: Kubernetes, kubectl's portforward_test.go. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { forwardedPorts } from '../../../cli/forwarded-ports.ts';
import { PodSpec, ServiceManifest, type Pod, type Service } from '../../../contracts/objects/index.ts';

const POD: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop' },
  spec: PodSpec.parse({
    containers: [
      {
        name: 'app',
        image: 'x:1',
        ports: [
          { name: 'http', containerPort: 8080 },
          { name: 'dns', containerPort: 53, protocol: 'UDP' },
        ],
      },
    ],
  }),
};

function service(spec: object = {}): Service {
  const ports = [
    { name: 'web', port: 80, targetPort: 'http' },
    { name: 'admin', port: 81, targetPort: 9090 },
    { name: 'plain', port: 82 },
    { name: 'lost', port: 83, targetPort: 'nothing' },
    { name: 'udp', port: 84, protocol: 'UDP' },
  ];
  return ServiceManifest.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { ports, ...spec },
  });
}

describe('ports to forward', () => {
  const cases: readonly [string, Service | undefined, number, number][] = [
    ['8080:80', undefined, 8080, 80],
    ['5000', undefined, 5000, 5000],
    [':80', undefined, 0, 80],
    ['http', undefined, 8080, 8080],
    ['9:http', undefined, 9, 8080],
    ['80', service(), 80, 8080],
    ['web', service(), 80, 8080],
    ['8000:81', service(), 8000, 9090],
    [':plain', service(), 0, 82],
    ['8000:web', service({ clusterIP: 'None' }), 8000, 80],
  ];
  for (const [word, of, local, remote] of cases)
    it(`${word}${of ? ` of a Service${of.spec.clusterIP ? ' without an address' : ''}` : ' of a pod'}`, () => {
      assert.deepEqual(forwardedPorts([word], POD, of), [{ local, remote }]);
    });

  it('may be several', () => {
    assert.deepEqual(forwardedPorts(['1:2', '3'], POD, undefined), [
      { local: 1, remote: 2 },
      { local: 3, remote: 3 },
    ]);
  });

  const refusals: readonly [string, Service | undefined, number, RegExp][] = [
    ['', undefined, 2, /"" is no port/],
    ['80:', undefined, 2, /is no port/],
    ['1:2:3', undefined, 2, /is no port/],
    ['0', undefined, 2, /is no port/],
    ['65536:80', undefined, 2, /is no port/],
    ['80:65536', undefined, 2, /is no port/],
    ['http:80', undefined, 2, /is no port/],
    ['dns', undefined, 1, /pod shop\/web declares no TCP port "dns"/],
    ['8080', service(), 1, /service shop\/web has no port 8080/],
    ['udp', service(), 1, /is UDP: only TCP is forwarded/],
    ['lost', service(), 1, /declares no TCP port "nothing"/],
  ];
  for (const [word, of, exitCode, message] of refusals)
    it(`refuses ${JSON.stringify(word)}${of ? ' of a Service' : ''}`, () => {
      assert.throws(() => forwardedPorts([word], POD, of), { exitCode, message });
    });
});
