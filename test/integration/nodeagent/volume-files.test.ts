/** Volumes of files that follow objects and the pod, as containers on a real runtime see them. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { ConfigMap, KubeObject, Pod, Secret } from '../../../contracts/objects/index.ts';
import { configMap, isReady, key, secret, startAgent, testPod, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { NODE, printed, printer, printing, untilSays } from './printing.ts';

const DATA = { 'data-1': 'value-1', 'data-2': 'value-2' };
const OTHERS: Secret = {
  ...secret('s', { 'data-1': 'not mine' }),
  metadata: { name: 's', namespace: 'other', uid: 'o' },
};
const BINARY: ConfigMap = { ...configMap('binary', { text: 'text' }), binaryData: { 'dump.bin': '3q2+7/4A' } };

type Entries = { defaultMode?: number; items?: readonly object[]; optional?: boolean };
type SourceName = 'configMap' | 'secret' | 'projectedConfigMap' | 'projectedSecret';

/** The same files from each of the sources. */
const SOURCES: Record<SourceName, (name: string, entries: Entries) => object> = {
  configMap: (name, entries) => ({ configMap: { name, ...entries } }),
  secret: (secretName, entries) => ({ secret: { secretName, ...entries } }),
  projectedConfigMap: (name, { defaultMode, ...rest }) => ({
    projected: { ...(defaultMode !== undefined && { defaultMode }), sources: [{ configMap: { name, ...rest } }] },
  }),
  projectedSecret: (name, { defaultMode, ...rest }) => ({
    projected: { ...(defaultMode !== undefined && { defaultMode }), sources: [{ secret: { name, ...rest } }] },
  }),
};
const NAMES = Object.keys(SOURCES) as SourceName[];
const OBJECT: Record<SourceName, string> = {
  configMap: 'c',
  secret: 's',
  projectedConfigMap: 'c',
  projectedSecret: 's',
};

const MAPPED = [{ key: 'data-2', path: 'path/to/data-2' }];
const NON_ROOT = { runAsUser: 1000 };

/** By container: how it has the files, and what it sees; ids by source. */
const CASES: Record<
  string,
  {
    entries: Entries;
    file: string;
    as?: object;
    twice?: boolean;
    expected: string;
    ids: Partial<Record<SourceName, string>>;
  }
> = {
  plain: {
    entries: {},
    file: 'data-1',
    expected: '644 value-1',
    ids: {
      configMap: 'configmap-volume-without-mapping',
      secret: 'secrets-volume-default, secrets-volume-volume-mode-default-secret-with-same',
      projectedConfigMap: 'projected-volume-configmap-volume-mode-default',
      projectedSecret: 'projected-volume-secrets-volume-mode-default',
    },
  },
  'non-root': {
    entries: {},
    file: 'data-1',
    as: NON_ROOT,
    expected: '644 value-1',
    ids: {
      configMap: 'configmap-volume-without-mapping-non-root-user',
      projectedConfigMap: 'projected-volume-configmap-non-root-user',
    },
  },
  mode: {
    entries: { defaultMode: 0o400 },
    file: 'data-1',
    expected: '400 value-1',
    ids: {
      configMap: 'configmap-volume-without-mapping-volume-mode-set',
      secret: 'secrets-volume-volume-mode-0400',
      projectedConfigMap: 'projected-volume-configmap-volume-mode-0400',
      projectedSecret: 'projected-volume-secrets-volume-mode-0400',
    },
  },
  mapped: {
    entries: { items: MAPPED },
    file: 'path/to/data-2',
    expected: '644 value-2',
    ids: {
      configMap: 'configmap-volume-with-mapping',
      secret: 'secrets-volume-mapping',
      projectedConfigMap: 'projected-volume-configmap-mapped',
      projectedSecret: 'projected-volume-secrets-mapped',
    },
  },
  'mapped-mode': {
    entries: { items: [{ ...MAPPED[0], mode: 0o400 }] },
    file: 'path/to/data-2',
    expected: '400 value-2',
    ids: {
      configMap: 'configmap-volume-with-mapping-volume-mode-set',
      secret: 'secrets-volume-mapping-volume-mode-0400',
      projectedConfigMap: 'projected-volume-configmap-mapped-volume-mode-0400',
      projectedSecret: 'projected-volume-secrets-mapped-volume-mode-0400',
    },
  },
  'mapped-non-root': {
    entries: { items: MAPPED },
    file: 'path/to/data-2',
    as: NON_ROOT,
    expected: '644 value-2',
    ids: {
      configMap: 'configmap-volume-with-mapping-non-root-user',
      projectedConfigMap: 'projected-volume-configmap-mapped-non-root-user',
    },
  },
  twice: {
    entries: {},
    file: 'data-1',
    twice: true,
    expected: '644 value-1\n644 value-1',
    ids: {
      configMap: 'configmap-volume-multiple-volume-maps',
      secret: 'secrets-volume-mapping-multiple-volume-paths',
      projectedConfigMap: 'projected-volume-configmap-multiple-volume-paths',
      projectedSecret: 'projected-volume-secrets-mapped-multiple-paths',
    },
  },
};

const show = (file: string): string => `echo "$(stat -L -c %a ${file}) $(cat ${file})"`;

function podOf(source: SourceName): Pod {
  const volume = (name: string, entries: Entries) => ({ name, ...SOURCES[source](OBJECT[source], entries) });
  return printer(
    `files-${source.toLowerCase()}`,
    Object.entries(CASES).map(([name, { file, as, twice }]) =>
      printing(name, [show(`/v/${file}`), ...(twice ? [show(`/w/${file}`)] : [])].join('; '), {
        volumeMounts: [{ name, mountPath: '/v' }, ...(twice ? [{ name: 'again', mountPath: '/w' }] : [])],
        ...(as && { securityContext: as }),
      }),
    ),
    { volumes: [...Object.entries(CASES).map(([name, { entries }]) => volume(name, entries)), volume('again', {})] },
  );
}

const RESOURCES = { requests: { cpu: '250m', memory: '32Mi' }, limits: { cpu: '1250m', memory: '64Mi' } };
const field = (path: string, fieldPath: string, mode?: number) => ({
  path,
  fieldRef: { fieldPath },
  ...(mode !== undefined && { mode }),
});
const amount = (path: string, containerName: string, resource: string, divisor: string) => ({
  path,
  resourceFieldRef: { containerName, resource, divisor },
});
/** What a pod is told of itself: file, item, what is there, and its ids in a volume of its own and a projected one. */
const TOLD = [
  ['cpu_limit', amount('cpu_limit', 'main', 'limits.cpu', '1m'), '644 1250', 'cpu-limits', 'cpu-limits'],
  ['cpu_request', amount('cpu_request', 'main', 'requests.cpu', '1m'), '644 250', 'cpu-request', 'cpu-request'],
  [
    'memory_limit',
    amount('memory_limit', 'main', 'limits.memory', '0'),
    '644 67108864',
    'memory-limits',
    'memory-limits',
  ],
  [
    'memory_request',
    amount('memory_request', 'main', 'requests.memory', '1Mi'),
    '644 32',
    'memory-request',
    'memory-request',
  ],
  [
    'cpu_default',
    amount('cpu_default', 'free', 'limits.cpu', '1'),
    '644 4',
    'cpu-limit-default-node',
    'cpu-limit-node',
  ],
  [
    'memory_default',
    amount('memory_default', 'free', 'limits.memory', '1Mi'),
    '644 7168',
    'memory-limit-default-node',
    'memory-limit-node',
  ],
  ['podname', field('podname', 'metadata.name'), '644 POD', 'pod-name', 'pod-name'],
  ['own', field('own', 'metadata.name', 0o400), '400 POD', 'file-mode-0400', 'volume-mode-0400-2'],
] as const;
type Told = { defaultMode?: number; items: readonly object[] };
const TOLD_BY = {
  downwardapi: { prefix: 'downwardapi-volume', id: 3, make: (told: Told): object => ({ downwardAPI: told }) },
  'projected-downwardapi': {
    prefix: 'projected-volume-downwardapi',
    id: 4,
    make: ({ items, ...rest }: Told): object => ({
      projected: { ...rest, sources: [{ downwardAPI: { items } }] },
    }),
  },
} as const;

function toldPod(name: keyof typeof TOLD_BY): Pod {
  const { make } = TOLD_BY[name];
  const items = TOLD.map(([, item]) => item);
  return printer(
    name,
    [
      printing('main', TOLD.map(([file]) => show(`/v/${file}`)).join('; '), {
        resources: RESOURCES,
        volumeMounts: [{ name: 'told', mountPath: '/v' }],
      }),
      printing('free', show('/v/podname'), { volumeMounts: [{ name: 'secretive', mountPath: '/v' }] }),
    ],
    {
      volumes: [
        { name: 'told', ...make({ items }) },
        { name: 'secretive', ...make({ defaultMode: 0o400, items: [field('podname', 'metadata.name')] }) },
      ],
    },
  );
}

/** Parts of volumes, and what the file is that they are shown as. */
const PARTS = [
  [
    'config-map',
    { configMap: { name: 'c' } },
    'data-1',
    '/part',
    'value-1',
    'subpath-reading-content-from-a-configmap-volume',
  ],
  [
    'over-a-file',
    { configMap: { name: 'c' } },
    'data-1',
    '/etc/passwd',
    'value-1',
    'subpath-reading-content-from-a-configmap-volume-2',
  ],
  [
    'secret',
    { secret: { secretName: 's' } },
    'data-2',
    '/part',
    'value-2',
    'subpath-reading-content-from-a-secret-volume',
  ],
  [
    'downward',
    { downwardAPI: { items: [field('deep/name', 'metadata.name')] } },
    'deep/name',
    '/part',
    'parts',
    'subpath-reading-content-from-a-downwardapi-volume',
  ],
  [
    'projected',
    { projected: { sources: [{ configMap: { name: 'c' } }] } },
    'data-2',
    '/part',
    'value-2',
    'subpath-reading-content-from-a-projected-volume',
  ],
] as const;

describe('volumes of files', () => {
  let host: TestHost;
  let agent: TestAgent;
  const parts = printer(
    'parts',
    PARTS.map(([name, , subPath, mountPath]) =>
      printing(name, `cat ${mountPath}`, { volumeMounts: [{ name, mountPath, subPath }] }),
    ),
    { volumes: PARTS.map(([name, volume]) => ({ name, ...volume })) },
  );
  const grouped = printer(
    'grouped',
    ['secret', 'projected'].map((name) =>
      printing(name, `${show('/v/data-1')}; id`, { volumeMounts: [{ name, mountPath: '/v' }] }),
    ),
    {
      securityContext: { runAsUser: 1000, fsGroup: 1001 },
      volumes: [
        { name: 'secret', secret: { secretName: 's', defaultMode: 0o440 } },
        { name: 'projected', projected: { defaultMode: 0o440, sources: [{ secret: { name: 's' } }] } },
      ],
    },
  );
  const together = printer(
    'together',
    [
      printing('all', 'cat /all/secret /all/map /all/name', { volumeMounts: [{ name: 'all', mountPath: '/all' }] }),
      printing('beside', 'cat /s/data-1 /c/data-2', {
        volumeMounts: [
          { name: 's', mountPath: '/s' },
          { name: 'c', mountPath: '/c' },
        ],
      }),
      printing('binary', 'cat /b/text; cat /b/dump.bin | busybox od -An -tx1', {
        volumeMounts: [{ name: 'b', mountPath: '/b' }],
      }),
    ],
    {
      volumes: [
        {
          name: 'all',
          projected: {
            sources: [
              { secret: { name: 's', items: [{ key: 'data-1', path: 'secret' }] } },
              { configMap: { name: 'c', items: [{ key: 'data-2', path: 'map' }] } },
              { downwardAPI: { items: [field('name', 'metadata.name')] } },
            ],
          },
        },
        { name: 's', secret: { secretName: 's' } },
        { name: 'c', configMap: { name: 'c' } },
        { name: 'b', configMap: { name: 'binary' } },
      ],
    },
  );
  const crowd = [1, 2, 3, 4, 5].map((pod) =>
    printer(
      `crowd-${pod}`,
      [
        printing('main', 'cat /v*/data-1 | busybox wc -c', {
          volumeMounts: Array.from({ length: 50 }, (_, i) => ({ name: `v${i}`, mountPath: `/v${i}` })),
        }),
      ],
      { volumes: Array.from({ length: 50 }, (_, i) => ({ name: `v${i}`, configMap: { name: `many-${i}` } })) },
    ),
  );
  const many = Array.from({ length: 50 }, (_, i) => configMap(`many-${i}`, DATA));
  /** Runs on, while objects come, change and go. */
  const follower = testPod(
    'follower',
    {
      terminationGracePeriodSeconds: 0,
      containers: [
        printing('main', 'exec sleep 1000', {
          volumeMounts: [
            ...NAMES.flatMap((source) =>
              ['coming', 'changing', 'going'].map((what) => ({
                name: `${source}-${what}`.toLowerCase(),
                mountPath: `/${source}/${what}`,
              })),
            ),
            { name: 'configmap-changing', mountPath: '/part', subPath: 'data' },
            { name: 'told', mountPath: '/told' },
            { name: 'tokens', mountPath: '/var/run/secrets/tokens' },
            { name: 'told-projected', mountPath: '/told-projected' },
          ],
        }),
      ],
      volumes: [
        {
          name: 'tokens',
          projected: {
            sources: [
              { serviceAccountToken: { path: 'token' } },
              { serviceAccountToken: { path: 'vault', audience: 'vault', expirationSeconds: 600 } },
            ],
          },
        },
        ...NAMES.flatMap((source) =>
          ['coming', 'changing', 'going'].map((what) => ({
            name: `${source}-${what}`.toLowerCase(),
            ...SOURCES[source](`${OBJECT[source]}-${what}`, { optional: true }),
          })),
        ),
        ...Object.entries({ told: TOLD_BY.downwardapi, 'told-projected': TOLD_BY['projected-downwardapi'] }).map(
          ([name, { make }]) => ({
            name,
            ...make({ items: [field('labels', 'metadata.labels'), field('annotations', 'metadata.annotations')] }),
          }),
        ),
      ],
    },
    { labels: { key1: 'value1' }, annotations: { builder: 'bar' } },
  );
  /** As the control plane sends them: a Secret that belongs to the pod. */
  const tokens = (turn: string): Secret => ({
    ...secret('follower:tokens', { '3600:': `plain ${turn}`, '600:vault': `vault ${turn}` }, turn),
    type: 'plumbline.dev/pod-tokens',
  });
  const changing = (value: string, version: string): KubeObject[] => [
    configMap('c-changing', { data: value }, version),
    secret('s-changing', { data: value }, version),
  ];

  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
    await agent.assign({
      upsert: [
        NODE,
        configMap('c', DATA),
        secret('s', DATA),
        OTHERS,
        BINARY,
        ...many,
        ...changing('first', '1'),
        configMap('c-going', { data: 'here' }),
        secret('s-going', { data: 'here' }),
        ...NAMES.map(podOf),
        toldPod('downwardapi'),
        toldPod('projected-downwardapi'),
        parts,
        grouped,
        together,
        tokens('1'),
        follower,
        ...crowd,
      ],
    });
  });
  after(() => host.close());

  for (const source of NAMES)
    for (const [name, { expected, ids }] of Object.entries(CASES)) {
      const id = ids[source];
      it(`${source}: ${name}${id === undefined ? '' : ` [conformance: ${id}]`}`, async () => {
        assert.equal(await printed(agent, `files-${source.toLowerCase()}`, name), `${expected}\n`);
      });
    }

  for (const name of Object.keys(TOLD_BY) as (keyof typeof TOLD_BY)[]) {
    const { prefix, id } = TOLD_BY[name];
    TOLD.forEach((told, line) => {
      it(`${name}: ${told[0]} [conformance: ${prefix}-${told[id]}]`, async () => {
        const lines = (await printed(agent, name, 'main')).split('\n');
        assert.equal(lines[line], told[2].replace('POD', name));
      });
    });
    it(`${name}: the mode of all its files [conformance: ${prefix}-volume-mode-0400]`, async () => {
      assert.equal(await printed(agent, name, 'free'), `400 ${name}\n`);
    });
  }

  for (const [name, , , , expected, id] of PARTS)
    it(`a part of a volume: ${name} [conformance: ${id}]`, async () => {
      assert.equal(await printed(agent, 'parts', name), expected);
    });

  for (const [name, id] of [
    ['secret', 'secrets-volume-volume-mode-0440-fsgroup-1001-and-uid'],
    ['projected', 'project-volume-secrets-non-root-custom-fsgroup'],
  ] as const)
    it(`files of the pod's group, read by another than root: ${name} [conformance: ${id}]`, async () => {
      assert.match(await printed(agent, 'grouped', name), /^440 value-1\nuid=1000 gid=0\(?.* groups=.*1001/);
    });

  it('text and bytes of a ConfigMap [conformance: configmap-volume-text-data-binary-data]', async () => {
    assert.equal(await printed(agent, 'together', 'binary'), 'text de ad be ef fe 00\n');
  });
  it('a Secret, a ConfigMap and the pod itself in one volume [conformance: projected-volume-multiple-projections]', async () => {
    assert.equal(await printed(agent, 'together', 'all'), 'value-1value-2together');
  });
  it('a Secret beside a ConfigMap [conformance: emptydir-wrapper-volume-secret-and-configmap-volumes]', async () => {
    assert.equal(await printed(agent, 'together', 'beside'), 'value-1value-2');
  });
  it('50 volumes in each of 5 pods [conformance: emptydir-wrapper-volume-configmap-volumes-no-race]', async () => {
    for (const pod of crowd) assert.equal((await printed(agent, pod.metadata.name, 'main')).trim(), '350');
  });

  it('objects come, change and go under a running pod [conformance: configmap-volume-update, configmap-volume-create-update-and-delete, secrets-volume-create-update-and-delete, projected-volume-configmap-update, projected-volume-configmap-create-update-and-delete, projected-volume-secrets-create-update-delete]', async () => {
    const seen = NAMES.map(
      (source) =>
        `for f in coming changing going; do cat /${source}/$f/data 2>/dev/null || echo -n none; echo -n ' '; done; echo`,
    ).join('; ');
    await agent.until('follower', isReady);
    await untilSays(agent, 'follower', seen, 'none first here \n'.repeat(4));
    await agent.assign({
      upsert: [
        ...changing('second', '2'),
        configMap('c-coming', { data: 'came' }),
        secret('s-coming', { data: 'came' }),
      ],
      remove: [configMap('c-going', {}), secret('s-going', {})].map(key),
    });
    await untilSays(agent, 'follower', seen, 'came second none \n'.repeat(4));
    // What was mounted as a part stays what it was, as in Kubernetes.
    assert.equal((await agent.exec('follower', ['/bin/cat', '/part'])).stdout, 'first');
  });

  it('tokens of the pod are renewed in one step under a running pod, and lie in memory alone', async () => {
    const seen = 'cd /var/run/secrets/tokens; cat token; echo; cat vault; echo; busybox stat -c %a ..data/token';
    await agent.until('follower', isReady);
    await untilSays(agent, 'follower', seen, 'plain 1\nvault 1\n644\n');
    await agent.assign({ upsert: [tokens('2')] });
    await untilSays(agent, 'follower', seen, 'plain 2\nvault 2\n644\n');
    const { stdout } = await agent.exec('follower', [
      '/bin/sh',
      '-c',
      'busybox df -T /var/run/secrets/tokens | busybox grep -c tmpfs',
    ]);
    assert.equal(stdout.trim(), '1');
    assert.equal(agent.pods.get('follower')?.status?.containerStatuses?.[0]?.restartCount, 0);
  });

  it("the pod's labels and annotations change in its files [conformance: downwardapi-volume-update-label, downwardapi-volume-update-annotations, projected-volume-downwardapi-update-labels, projected-volume-downwardapi-update-annotation]", async () => {
    const seen = 'for d in told told-projected; do cat /$d/labels; echo; cat /$d/annotations; echo; done';
    const both = (text: string): string => text.repeat(2);
    await agent.until('follower', isReady);
    await untilSays(agent, 'follower', seen, both('key1="value1"\nbuilder="bar"\n'));
    await agent.assign({
      upsert: [
        {
          ...follower,
          metadata: {
            ...follower.metadata,
            labels: { key1: 'value1', key2: 'value "2"' },
            annotations: { builder: 'foo' },
          },
        },
      ],
    });
    await untilSays(agent, 'follower', seen, both('key1="value1"\nkey2="value \\"2\\""\nbuilder="foo"\n'));
    assert.equal(agent.pods.get('follower')?.status?.containerStatuses?.[0]?.restartCount, 0);
  });
});
