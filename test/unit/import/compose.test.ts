import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatDiagnostic } from '../../../reconciler/core/manifests/index.ts';
import { valueAt, type FieldPath } from '../../../reconciler/core/manifests/yaml-tree.ts';
import { CONTAINER, find, imported, POD, web } from './compose-files.ts';
import { errorsOf, rendered, resultOf } from './trees.ts';

interface Carried {
  readonly says: string;
  readonly lines: readonly string[];
  readonly at: FieldPath;
  readonly is: unknown;
}

const CARRIED: readonly Carried[] = [
  {
    says: 'a command as a text',
    lines: [`command: sh -c "echo 'a b' \\"c\\""`],
    at: [...CONTAINER, 'args'],
    is: ['sh', '-c', `echo 'a b' "c"`],
  },
  { says: 'a command as a list', lines: ['command: [a, "b c"]'], at: [...CONTAINER, 'args'], is: ['a', 'b c'] },
  {
    says: 'an entrypoint',
    lines: ['entrypoint: /bin/tool --flag'],
    at: [...CONTAINER, 'command'],
    is: ['/bin/tool', '--flag'],
  },
  {
    says: 'variables as a map',
    lines: ['environment: { A: 1, B: "yes", C: on, D: null-ish }'],
    at: [...CONTAINER, 'env'],
    is: [
      { name: 'A', value: '1' },
      { name: 'B', value: 'yes' },
      { name: 'C', value: 'on' },
      { name: 'D', value: 'null-ish' },
    ],
  },
  {
    says: 'variables as a list',
    lines: ['environment: ["A=x=y", "B="]'],
    at: [...CONTAINER, 'env'],
    is: [
      { name: 'A', value: 'x=y' },
      { name: 'B', value: '' },
    ],
  },
  {
    says: 'a text that Kubernetes would expand',
    lines: ['environment: { A: "$$(date)", B: "$$$$x" }'],
    at: [...CONTAINER, 'env'],
    is: [
      { name: 'A', value: '$$(date)' },
      { name: 'B', value: '$$$x' },
    ],
  },
  {
    says: 'a healthcheck in a shell',
    lines: ['healthcheck: { test: curl -f localhost, interval: 1m30s, timeout: 500ms, retries: 7 }'],
    at: [...CONTAINER, 'readinessProbe'],
    is: {
      exec: { command: ['/bin/sh', '-c', 'curl -f localhost'] },
      periodSeconds: 90,
      timeoutSeconds: 1,
      failureThreshold: 7,
    },
  },
  {
    says: 'a healthcheck of words',
    lines: ['healthcheck: { test: [CMD, check, -q] }'],
    at: [...CONTAINER, 'readinessProbe'],
    is: { exec: { command: ['check', '-q'] }, periodSeconds: 30, timeoutSeconds: 30, failureThreshold: 3 },
  },
  {
    says: 'a healthcheck that is off',
    lines: ['healthcheck: { disable: true }'],
    at: [...CONTAINER, 'readinessProbe'],
    is: undefined,
  },
  {
    says: 'a healthcheck of NONE',
    lines: ['healthcheck: { test: [NONE] }'],
    at: [...CONTAINER, 'readinessProbe'],
    is: undefined,
  },
  {
    says: 'a user by number',
    lines: ['user: "1000:1001"'],
    at: [...CONTAINER, 'securityContext'],
    is: { runAsUser: 1000, runAsGroup: 1001 },
  },
  {
    says: 'capabilities',
    lines: ['cap_add: [NET_ADMIN, CAP_SYS_TIME]', 'cap_drop: [ALL]'],
    at: [...CONTAINER, 'securityContext', 'capabilities'],
    is: { add: ['NET_ADMIN', 'SYS_TIME'], drop: ['ALL'] },
  },
  { says: 'privileged', lines: ['privileged: true'], at: [...CONTAINER, 'securityContext', 'privileged'], is: true },
  {
    says: 'a read-only root',
    lines: ['read_only: true'],
    at: [...CONTAINER, 'securityContext', 'readOnlyRootFilesystem'],
    is: true,
  },
  {
    says: 'security options',
    lines: ['security_opt: ["no-new-privileges:true", "seccomp=unconfined"]'],
    at: [...CONTAINER, 'securityContext'],
    is: { allowPrivilegeEscalation: false, seccompProfile: { type: 'Unconfined' } },
  },
  { says: 'a working folder', lines: ['working_dir: /srv'], at: [...CONTAINER, 'workingDir'], is: '/srv' },
  { says: 'a terminal', lines: ['tty: true', 'stdin_open: true'], at: [...CONTAINER, 'tty'], is: true },
  { says: 'a pull policy', lines: ['pull_policy: always'], at: [...CONTAINER, 'imagePullPolicy'], is: 'Always' },
  {
    says: 'resources',
    lines: [
      'deploy: { resources: { limits: { cpus: "1.5", memory: 1.5g }, reservations: { cpus: "2", memory: 512m } } }',
    ],
    at: [...CONTAINER, 'resources'],
    is: { requests: { cpu: '1500m', memory: '512Mi' }, limits: { cpu: '1500m', memory: '1536Mi' } },
  },
  {
    says: 'resources in the older form',
    lines: ['mem_limit: 64mb', 'cpus: 0.25'],
    at: [...CONTAINER, 'resources'],
    is: { limits: { cpu: '250m', memory: '64Mi' } },
  },
  { says: 'replicas', lines: ['deploy: { replicas: 3 }'], at: ['spec', 'replicas'], is: 3 },
  { says: 'a host name', lines: ['hostname: box'], at: [...POD, 'hostname'], is: 'box' },
  {
    says: 'hosts',
    lines: ['extra_hosts: ["a:10.0.0.1", "b=10.0.0.1", "c:10.0.0.2"]'],
    at: [...POD, 'hostAliases'],
    is: [
      { ip: '10.0.0.1', hostnames: ['a', 'b'] },
      { ip: '10.0.0.2', hostnames: ['c'] },
    ],
  },
  {
    says: 'hosts as a map',
    lines: ['extra_hosts: { a: 10.0.0.1 }'],
    at: [...POD, 'hostAliases'],
    is: [{ ip: '10.0.0.1', hostnames: ['a'] }],
  },
  {
    says: 'the time to stop',
    lines: ['stop_grace_period: 1m30s'],
    at: [...POD, 'terminationGracePeriodSeconds'],
    is: 90,
  },
  {
    says: 'the signal to stop',
    lines: ['stop_signal: quit'],
    at: [...POD, 'containers', 0, 'lifecycle'],
    is: { stopSignal: 'SIGQUIT' },
  },
  { says: 'a signal by number', lines: ['stop_signal: 12'], at: [...POD, 'os'], is: { name: 'linux' } },
  { says: "the node's network", lines: ['network_mode: host'], at: [...POD, 'hostNetwork'], is: true },
  { says: "the node's processes", lines: ['pid: host'], at: [...POD, 'hostPID'], is: true },
  {
    says: 'groups',
    lines: ['group_add: [44, "109"]'],
    at: [...POD, 'securityContext', 'supplementalGroups'],
    is: [44, 109],
  },
  {
    says: 'kernel settings',
    lines: ['sysctls: ["net.ipv4.ip_unprivileged_port_start=0"]'],
    at: [...POD, 'securityContext', 'sysctls'],
    is: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
  },
  {
    says: 'name servers',
    lines: ['dns: [1.1.1.1]', 'dns_search: example.com'],
    at: [...POD, 'dnsConfig'],
    is: { nameservers: ['1.1.1.1'], searches: ['example.com'] },
  },
  {
    says: 'a platform',
    lines: ['platform: linux/arm64'],
    at: [...POD, 'nodeSelector'],
    is: { 'kubernetes.io/arch': 'arm64' },
  },
  {
    says: 'constraints of nodes',
    lines: ['deploy: { placement: { constraints: ["node.labels.disk == ssd", "node.hostname==a"] } }'],
    at: [...POD, 'nodeSelector'],
    is: { disk: 'ssd', 'kubernetes.io/hostname': 'a' },
  },
  {
    says: 'labels',
    lines: ['labels: ["com.example.team=shop", "com.docker.x=y"]'],
    at: ['spec', 'template', 'metadata', 'annotations'],
    is: { 'com.example.team': 'shop' },
  },
  {
    says: 'a published port',
    lines: ['ports: ["8080:80"]'],
    at: [...CONTAINER, 'ports'],
    is: [{ containerPort: 80, hostPort: 8080 }],
  },
  {
    says: 'a published port at an address',
    lines: ['ports: ["127.0.0.1:5353:53/udp"]'],
    at: [...CONTAINER, 'ports'],
    is: [{ containerPort: 53, protocol: 'UDP', hostPort: 5353, hostIP: '127.0.0.1' }],
  },
  {
    says: 'a range of ports',
    lines: ['ports: ["3000-3001:4000-4001"]'],
    at: [...CONTAINER, 'ports'],
    is: [
      { containerPort: 4000, hostPort: 3000 },
      { containerPort: 4001, hostPort: 3001 },
    ],
  },
  {
    says: 'a port in the long form',
    lines: ['ports: [{ target: 80, published: "8080", protocol: tcp, mode: host }]'],
    at: [...CONTAINER, 'ports'],
    is: [{ containerPort: 80, hostPort: 8080 }],
  },
  {
    says: 'memory as a folder',
    lines: ['tmpfs: ["/run:size=1m,mode=755"]'],
    at: [...POD, 'volumes'],
    is: [{ name: 'tmp-run', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
  },
  {
    says: 'a folder of the node',
    lines: ['volumes: ["/srv/media:/media:ro"]'],
    at: [...POD, 'volumes'],
    is: [{ name: 'host-srv-media', hostPath: { path: '/srv/media' } }],
  },
  {
    says: 'an unnamed volume',
    lines: ['volumes: [/cache]'],
    at: [...POD, 'volumes'],
    is: [{ name: 'data-cache', emptyDir: {} }],
  },
  {
    says: 'a volume in the long form',
    lines: ['volumes: [{ type: volume, source: files, target: /files, read_only: true, volume: { subpath: a } }]'],
    at: [...CONTAINER, 'volumeMounts'],
    is: [{ name: 'files', mountPath: '/files', subPath: 'a', readOnly: true }],
  },
];

describe('a service of Compose', () => {
  for (const { says, lines, at, is } of CARRIED)
    it(`carries over ${says}`, async () => {
      const result = imported(web(...lines));
      const deployment = find(result, 'Deployment', 'web');
      assert.deepEqual(valueAt(deployment, at), is);
      assert.deepEqual(errorsOf((await rendered(resultOf(result))).diagnostics), []);
      assert.deepEqual(errorsOf(result.findings), []);
    });
});

const TOLD: readonly (readonly [says: string, lines: readonly string[], told: string])[] = [
  ['build', ['build: .'], '4:5 NotCarriedOver warning: services.web.build'],
  ['devices', ['devices: [/dev/ttyUSB0]'], '4:5 NotCarriedOver warning: services.web.devices'],
  [
    'the socket of the engine',
    ['volumes:', '  - /var/run/docker.sock:/var/run/docker.sock'],
    '5:9 NotCarriedOver warning: services.web wants the socket',
  ],
  [
    'the network of another service',
    ['network_mode: "service:vpn"'],
    '4:19 NotCarriedOver warning: services.web.network_mode: service:vpn',
  ],
  ['a user of the image', ['user: node'], '4:11 NotCarriedOver warning: services.web.user'],
  ['a published port', ['ports:', '  - "8080:80"'], '5:9 CarriedOverChanged warning: port 8080 is opened on the node'],
  [
    'a route of Traefik',
    ['labels:', '  traefik.http.routers.a.rule: Host(`a.example.com`) && PathPrefix(`/x`)'],
    '5:7 NotCarriedOver warning: the route traefik.http.routers.a.rule is not carried over; it would be an Ingress for a.example.com, path /x',
  ],
  ['a field that nobody knows', ['colour: red'], '4:5 NotCarriedOver warning: services.web.colour'],
  [
    'a nested field that nobody knows',
    ['deploy: { resources: { limits: { pids: 3 } } }'],
    'services.web.deploy.resources.limits.pids',
  ],
  [
    'host-gateway',
    ['extra_hosts: ["host.docker.internal:host-gateway"]'],
    'services.web.extra_hosts: host.docker.internal is at host-gateway',
  ],
  [
    'a variable that is not set',
    ['working_dir: /${NOWHERE}'],
    '4:18 SourceMissing warning: the variable NOWHERE is not set',
  ],
  [
    'a variable that has to be set',
    ['working_dir: /${NOWHERE:?say it}'],
    '4:18 SourceInvalid the variable NOWHERE is not set',
  ],
  ['a dollar sign that names nothing', ['working_dir: /$-'], '4:18 SourceInvalid a $ here starts no variable'],
  ['a file that is not there', ['env_file: gone.env'], '4:15 SourceMissing warning: the file gone.env is not there'],
  ['a volume that is not there', ['volumes: ["gone:/data"]'], 'SourceMissing warning: volumes has no gone'],
  [
    'a place on the machine',
    ['volumes: ["./data:/data"]'],
    'CarriedOverChanged warning: ./data is a place on the machine',
  ],
  ['a path out of the folder', ['volumes: ["../../etc/passwd:/x:ro"]'], '../../etc/passwd is a place on the machine'],
  ['a port of SCTP', ['ports: ["80:80/sctp"]'], 'SourceInvalid services.web: this is no port'],
  ['a quote that is not closed', [`command: "echo 'a"`], 'services.web.command has a quote that is not closed'],
  ['an empty entrypoint', ['entrypoint: ""'], 'an empty entrypoint leaves the one of the image'],
  ['a dependency that only starts', ['depends_on: [db]'], 'SourceMissing warning: web depends on db'],
  ['a restart policy that is none', ['restart: sometimes'], 'SourceInvalid services.web.restart'],
];

describe('what Compose has and Kubernetes has not', () => {
  for (const [says, lines, told] of TOLD)
    it(`is told of: ${says}`, async () => {
      const result = imported(web(...lines));
      const findings = result.findings.map(formatDiagnostic);
      assert.ok(
        findings.some((line) => line.includes(told)),
        findings.join('\n'),
      );
      assert.deepEqual(errorsOf((await rendered(resultOf(result))).diagnostics), []);
    });

  it('is told of: a section that nobody knows, and names that become one', () => {
    const findings = imported(`${web()}  We_b:\n    image: x\n  we.b:\n    image: x\nmodels: {}\n`).findings.map(
      formatDiagnostic,
    );
    assert.ok(
      findings.some((line) => line.includes('8:1 NotCarriedOver warning: the section models')),
      findings.join('\n'),
    );
    assert.ok(findings.some((line) => line.includes('SourceInvalid the services We_b and we.b have one name here')));
  });

  it('is told of: a link under another name', () => {
    const findings = imported(web('links: ["db:database", db]')).findings.map(formatDiagnostic);
    assert.deepEqual(
      findings.map((line) => line.split(';')[0]),
      ['compose.yaml:4:13 NotCarriedOver warning: services.web.links: db is not known as database'],
    );
  });

  it('is not told of where nothing is lost', () => {
    assert.deepEqual(imported(web('restart: always', 'x-note: mine', 'expose: ["80"]')).findings, []);
  });
});

describe('variables of Compose', () => {
  const cases: readonly (readonly [written: string, value: string])[] = [
    ['$A', 'a'],
    ['${A}b', 'ab'],
    ['${EMPTY:-x}', 'x'],
    ['${EMPTY-x}', ''],
    ['${NONE:-x y}', 'x y'],
    ['${NONE-${A}}', 'a'],
    ['${NONE:-${OTHER:-deep}}', 'deep'],
    ['${A:+set}', 'set'],
    ['${EMPTY:+set}', ''],
    ['${EMPTY+set}', 'set'],
    ['${NONE+set}', ''],
    ['${A:?needed}', 'a'],
    ['$$A', '$A'],
    ['${QUOTED}', 'a # b'],
    ['${SINGLE}', '$A'],
    ['${COMMENTED}', 'v'],
    ['${MADE}', 'a-a'],
  ];
  const env = `A=a\nexport EMPTY=\nQUOTED="a # b"\nSINGLE='$A'\nCOMMENTED=v # c\nMADE=\${A}-$A\n# end\n`;
  for (const [written, value] of cases)
    it(`${written} is ${JSON.stringify(value)}`, () => {
      const result = imported({ 'compose.yaml': web(`working_dir: "/${written}"`), '.env': env });
      assert.equal(valueAt(find(result, 'Deployment', 'web'), [...CONTAINER, 'workingDir']), `/${value}`);
      assert.deepEqual(result.findings, []);
    });
});

describe('services of Compose among each other', () => {
  const db = (...lines: readonly string[]): string =>
    ['  db:', '    image: postgres:16', ...lines.map((line) => `    ${line}`), ''].join('\n');

  it('reach each other by name, at their own ports', () => {
    const result = imported(web('ports: ["8080:80"]') + db());
    assert.deepEqual(valueAt(find(result, 'Service', 'web'), ['spec']), {
      selector: { app: 'web' },
      ports: [{ port: 80 }],
    });
    assert.deepEqual(valueAt(find(result, 'Service', 'db'), ['spec']), { clusterIP: 'None', selector: { app: 'db' } });
  });

  it('keep a port that every node can open', () => {
    const result = imported(web('ports: ["30080:80"]'));
    assert.deepEqual(valueAt(find(result, 'Service', 'web'), ['spec']), {
      type: 'NodePort',
      selector: { app: 'web' },
      ports: [{ port: 80, nodePort: 30080 }],
    });
  });

  it('wait for one that is healthy', () => {
    const wait = (lines: readonly string[]): unknown =>
      valueAt(
        find(imported(web('depends_on: { db: { condition: service_healthy } }') + db(...lines)), 'Deployment', 'web'),
        [...POD, 'initContainers', 0, 'command', 2],
      );
    assert.match(String(wait(['expose: [5432]'])), /nc -z -w 2 db\.demo\.svc\.cluster\.local 5432/);
    assert.match(String(wait([])), /nslookup db\.demo\.svc\.cluster\.local/);
  });

  it('have one that ends before them as an init container, with its volumes', () => {
    const result = imported(
      `${web('depends_on: { db: { condition: service_completed_successfully } }')}${db('volumes: ["a:/a"]')}volumes: { a: }\n`,
    );
    assert.equal(find(result, 'Job', 'db'), undefined);
    assert.deepEqual(valueAt(find(result, 'Deployment', 'web'), [...POD, 'initContainers', 0, 'name']), 'db');
    assert.deepEqual(valueAt(find(result, 'Deployment', 'web'), [...POD, 'volumes', 0, 'name']), 'a');
  });

  it('become Jobs where they end', () => {
    for (const [restart, policy, limit] of [
      ['"no"', 'Never', 0],
      ['on-failure:3', 'OnFailure', 3],
    ] as const) {
      const job = find(imported(web(`restart: ${restart}`)), 'Job', 'web');
      assert.equal(valueAt(job, [...POD, 'restartPolicy']), policy);
      assert.equal(valueAt(job, ['spec', 'backoffLimit']), limit);
    }
  });

  it('run on every node where they are global', () => {
    assert.ok(find(imported(web('deploy: { mode: global }')), 'DaemonSet', 'web'));
  });

  it('do not overlap where they keep data', () => {
    const result = imported(`${web('volumes: ["a:/a"]')}volumes: { a: }\n`, { volumeSize: '5Gi' });
    assert.deepEqual(valueAt(find(result, 'Deployment', 'web'), ['spec', 'strategy']), { type: 'Recreate' });
    assert.equal(
      valueAt(find(result, 'PersistentVolumeClaim', 'a'), ['spec', 'resources', 'requests', 'storage']),
      '5Gi',
    );
  });

  it('keep their other names', () => {
    const result = imported(web('container_name: front', 'networks: { default: { aliases: [www] } }'));
    for (const name of ['front', 'www'])
      assert.deepEqual(valueAt(find(result, 'Service', name), ['spec', 'selector']), { app: 'web' });
  });

  it('are left out where their profile was not asked for', () => {
    const text = web() + db('profiles: [data]');
    assert.equal(find(imported(text), 'Deployment', 'db'), undefined);
    assert.ok(find(imported(text, { profiles: ['data'] }), 'Deployment', 'db'));
    assert.ok(find(imported(text, { profiles: ['*'] }), 'Deployment', 'db'));
  });
});

describe('compose files together', () => {
  it('are laid over each other', () => {
    const result = imported({
      'compose.yaml': web('ports: ["80:80"]', 'environment: { A: 1, B: 1 }', 'command: [a]', 'volumes: ["./x:/x"]'),
      'compose.override.yaml': web('environment: ["B=2"]', 'command: [b]', 'volumes: ["/y:/x"]'),
    });
    const deployment = find(result, 'Deployment', 'web');
    assert.deepEqual(valueAt(deployment, [...CONTAINER, 'env']), [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ]);
    assert.deepEqual(valueAt(deployment, [...CONTAINER, 'args']), ['b']);
    assert.deepEqual(valueAt(deployment, [...POD, 'volumes']), [{ name: 'host-y', hostPath: { path: '/y' } }]);
    assert.deepEqual(valueAt(deployment, [...CONTAINER, 'ports', 0, 'hostPort']), 80);
  });

  it('extend services of the same file and of another, whose paths are their own', () => {
    const result = imported({
      'compose.yaml':
        'services:\n  web:\n    extends: { file: base/b.yaml, service: base }\n  twin:\n    extends: web\n    environment: { B: 2 }\n',
      'base/b.yaml':
        'services:\n  base:\n    image: x:1\n    environment: { A: 1 }\n    volumes: ["./c.conf:/c.conf:ro"]\n',
      'base/c.conf': 'listen 80\n',
    });
    assert.deepEqual(errorsOf(result.findings), []);
    assert.deepEqual(valueAt(find(result, 'Deployment', 'twin'), [...CONTAINER, 'env']), [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ]);
    assert.deepEqual(valueAt(find(result, 'ConfigMap', 'base-c-conf'), ['data']), { 'c.conf': 'listen 80\n' });
  });

  it('include others', () => {
    const result = imported({
      'compose.yaml': `include: [more/compose.yaml]\n${web()}`,
      'more/compose.yaml': 'services:\n  other:\n    image: x:${V}\n',
      'more/.env': 'V=3\n',
    });
    assert.equal(valueAt(find(result, 'Deployment', 'other'), [...CONTAINER, 'image']), 'x:3');
  });

  it('share what an anchor has', () => {
    const result = imported(
      `x-a: &a\n  restart: always\n  working_dir: /w\n${web()}  two:\n    <<: *a\n    image: y\n`,
    );
    assert.equal(valueAt(find(result, 'Deployment', 'two'), [...CONTAINER, 'workingDir']), '/w');
  });
});
