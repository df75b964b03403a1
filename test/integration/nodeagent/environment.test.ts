/** The environment of containers, and parts of volumes that it names, as containers on a real runtime see them. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { configMap, isReady, main, secret, startAgent, testPod, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { NODE, printed, printer, printing } from './printing.ts';

const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
const amount = (name: string, resource: string, divisor = '0') => ({
  name,
  valueFrom: { resourceFieldRef: { resource, divisor } },
});
const RESOURCES = { requests: { cpu: '250m', memory: '32Mi' }, limits: { cpu: '1250m', memory: '64Mi' } };

/** Containers of one pod: what they are, the variables that they print, which are these, ids. */
const CASES = [
  [
    'a key of a ConfigMap',
    { env: [{ name: 'DATA_1', valueFrom: { configMapKeyRef: { name: 'c', key: 'data-1' } } }] },
    'DATA_1',
    'DATA_1=value-1\n',
    'configmap-from-environment-field',
  ],
  [
    'all keys of a ConfigMap',
    { envFrom: [{ configMapRef: { name: 'c' } }, { prefix: 'p-', configMapRef: { name: 'c' } }] },
    '(p-)?data',
    'data-1=value-1\np-data-1=value-1\n',
    'configmap-from-environment-variables',
  ],
  [
    'keys of a ConfigMap behind any printable characters',
    {
      envFrom: [
        { prefix: '#p!', configMapRef: { name: 'c' } },
        { prefix: '1 $(A)~', configMapRef: { name: 'c' } },
      ],
    },
    '(#|1 )',
    '#p!data-1=value-1\n1 $(A)~data-1=value-1\n',
    'configmap-from-environment-field-with-various',
  ],
  [
    'a key of a Secret',
    { env: [{ name: 'SECRET', valueFrom: { secretKeyRef: { name: 's', key: 'data-1' } } }] },
    'SECRET',
    'SECRET=hidden\n',
    'secrets-pod-environment-field',
  ],
  [
    'all keys of a Secret',
    { envFrom: [{ secretRef: { name: 's' } }] },
    'data',
    'data-1=hidden\n',
    'secrets-pod-environment-from-source-2',
  ],
  [
    'keys of a Secret behind any printable characters',
    { envFrom: [{ prefix: '@:/', secretRef: { name: 's' } }] },
    '@',
    '@:/data-1=hidden\n',
    'secrets-pod-environment-from-source',
  ],
  [
    'variables in variables',
    {
      env: [
        { name: 'V_A', value: 'a' },
        { name: 'V_B', value: '$(V_A);;$(V_NONE);$$(V_A)' },
      ],
    },
    'V_B',
    'V_B=a;;$(V_NONE);$(V_A)\n',
    'environment-variables-expansion',
  ],
  [
    'name, namespace and address',
    {
      env: [
        field('POD_NAME', 'metadata.name'),
        field('POD_NAMESPACE', 'metadata.namespace'),
        field('POD_IP', 'status.podIP'),
      ],
    },
    'POD_',
    'POD_NAME=told\nPOD_NAMESPACE=default\nPOD_IP=<podIP>\n',
    'downwardapi-environment-for-name-namespace-and-ip',
  ],
  [
    "the node's address",
    { env: [field('HOST_IP', 'status.hostIP')] },
    'HOST_IP',
    'HOST_IP=198.18.76.1\n',
    'downwardapi-environment-for-host-ip',
  ],
  [
    "the node's addresses",
    { env: [field('HOST_IPS', 'status.hostIPs')] },
    'HOST_IP',
    'HOST_IPS=198.18.76.1\n',
    'downwardapi-environment-for-hostips',
  ],
  [
    'the uid',
    { env: [field('POD_UID', 'metadata.uid')] },
    'POD_UID',
    'POD_UID=<uid>\n',
    'downwardapi-environment-for-pod-uid',
  ],
  [
    'limits and requests',
    {
      resources: RESOURCES,
      env: [
        amount('R_CPU_LIMIT', 'limits.cpu'),
        amount('R_MEMORY_LIMIT', 'limits.memory'),
        amount('R_CPU_REQUEST', 'requests.cpu', '1m'),
        amount('R_MEMORY_REQUEST', 'requests.memory', '1Mi'),
      ],
    },
    'R_',
    'R_CPU_LIMIT=2\nR_MEMORY_LIMIT=67108864\nR_CPU_REQUEST=250\nR_MEMORY_REQUEST=32\n',
    'downwardapi-environment-for-cpu-and-memory-limits',
  ],
  [
    'limits where there are none',
    { env: [amount('R_CPU_LIMIT', 'limits.cpu'), amount('R_MEMORY_LIMIT', 'limits.memory', '1Gi')] },
    'R_',
    'R_CPU_LIMIT=4\nR_MEMORY_LIMIT=7\n',
    'downwardapi-environment-for-default-cpu-and-memory',
  ],
] as const;

describe('the environment', () => {
  let host: TestHost;
  let agent: TestAgent;
  const told = printer(
    'told',
    CASES.map(([, container, names], i) =>
      // As it was given: a shell hands on no variable whose name it would not take itself.
      printing(`c${i}`, `busybox tr '\\000' '\\n' < /proc/1/environ | busybox grep -E '^${names}'`, { ...container }),
    ),
    { enableServiceLinks: false },
  );
  const expanding = printer('expanding', [
    {
      ...printing('command', ''),
      command: ['/bin/sh', '-c', 'TEST_VAR=wrong; echo "$(TEST_VAR)"'],
      env: [{ name: 'TEST_VAR', value: 'test-value' }],
    },
    {
      ...printing('args', ''),
      command: ['/bin/sh', '-c'],
      args: ['TEST_VAR=wrong; echo "$(TEST_VAR)"'],
      env: [{ name: 'TEST_VAR', value: 'test-value' }],
    },
  ]);
  const parts = printer(
    'parts',
    [
      printing('first', 'test -d /whole/parts && echo made', {
        env: [field('POD_NAME', 'metadata.name')],
        volumeMounts: [
          { name: 'v', mountPath: '/whole' },
          { name: 'v', mountPath: '/part', subPathExpr: '$(POD_NAME)' },
        ],
      }),
      printing('writer', 'echo written > /part/file && cat /whole/parts/sub/file', {
        env: [field('POD_NAME', 'metadata.name')],
        volumeMounts: [
          { name: 'v', mountPath: '/whole' },
          { name: 'v', mountPath: '/part', subPathExpr: '$(POD_NAME)/sub' },
        ],
      }),
    ],
    { volumes: [{ name: 'v', emptyDir: {} }] },
  );
  const withPart = (name: string, env: object, subPathExpr: string, meta: Record<string, unknown> = {}) =>
    testPod(
      name,
      {
        terminationGracePeriodSeconds: 0,
        containers: [
          printing('main', 'exec sleep 1000', {
            env: [env],
            volumeMounts: [{ name: 'v', mountPath: '/part', subPathExpr }],
          }),
        ],
        volumes: [{ name: 'v', emptyDir: {} }],
      },
      meta,
    );
  const absolute = withPart('absolute', { name: 'PART', value: '/tmp' }, '$(PART)');
  const outside = withPart('outside', { name: 'PART', value: '..' }, '$(PART)');
  const late = withPart('late', field('PART', "metadata.annotations['part']"), '$(PART)/sub', {
    annotations: { other: 'x' },
  });

  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
    await agent.assign({
      upsert: [
        NODE,
        configMap('c', { 'data-1': 'value-1' }),
        secret('s', { 'data-1': 'hidden' }),
        told,
        expanding,
        parts,
        absolute,
        outside,
        late,
      ],
    });
  });
  after(() => host.close());

  CASES.forEach(([what, , , expected, id], i) => {
    it(`${what} [conformance: ${id}]`, async () => {
      const text = await printed(agent, 'told', `c${i}`);
      const { status } = agent.pods.get('told') ?? assert.fail('no report');
      const inOrder = (lines: string): string => lines.split('\n').sort().join('\n');
      assert.equal(
        inOrder(text),
        inOrder(expected.replace('<uid>', told.metadata.uid ?? '').replace('<podIP>', status?.podIP ?? '')),
      );
    });
  });

  it('variables in a command [conformance: environment-variables-command-expansion]', async () => {
    assert.equal(await printed(agent, 'expanding', 'command'), 'test-value\n');
  });
  it('variables in arguments [conformance: environment-variables-command-argument-expansion]', async () => {
    assert.equal(await printed(agent, 'expanding', 'args'), 'test-value\n');
  });

  it('names a part of a volume [conformance: volumesubpathenvexpansion-subpath-expansion]', async () => {
    assert.equal(await printed(agent, 'parts', 'first'), 'made\n');
  });
  it('names a part that is written [conformance: volumesubpathenvexpansion-subpath-test-writes]', async () => {
    assert.equal(await printed(agent, 'parts', 'writer'), 'written\n');
  });

  const untilRefused = async (pod: string): Promise<string | undefined> => {
    const report = await agent.until(pod, (one) => main(one)?.state.waiting?.reason === 'CreateContainerConfigError');
    return main(report)?.state.waiting?.message;
  };
  it('names an absolute path, which is refused [conformance: volumesubpathenvexpansion-subpath-with-absolute-path]', async () => {
    assert.equal(await untilRefused('absolute'), 'error SubPath `/tmp` must not be an absolute path');
  });
  it('names a path that leads out, which is refused [conformance: volumesubpathenvexpansion-subpath-with-backticks]', async () => {
    assert.equal(await untilRefused('outside'), "unable to provision SubPath `..`: must not contain '..'");
  });
  it('names a part once the pod has the annotation [conformance: volumesubpathenvexpansion-subpath-ready-from-failed]', async () => {
    assert.equal(await untilRefused('late'), 'missing value for PART');
    await agent.assign({
      upsert: [{ ...late, metadata: { ...late.metadata, annotations: { part: 'mine' } } }],
    });
    await agent.until('late', isReady);
    const folder = `/proc/1/root${host.folder}/root/var/lib/plumbline`;
    assert.match(
      await host.run(['sh', '-c', `ls -d ${folder}/pods/${late.metadata.uid ?? ''}/volumes/v/mine/sub`]),
      /mine\/sub\n$/,
    );
  });
});
