/**
 * The cluster's names, case by case after the Kubernetes DNS specification 1.1.0, over the objects as an agent has them.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { objectKey } from '../../../contracts/objects/index.ts';
import { AssignedNames } from '../../../nodeagent/core/dns/cluster-names.ts';
import { answerCluster } from '../../../nodeagent/core/dns/zone.ts';
import { NO_LOCAL_PODS } from '../../../nodeagent/core/local-pods.ts';
import { DNS_TYPE, type DnsAnswer, type DnsRecord } from '../../../nodeagent/core/wire/dns-message.ts';
import { endpoint, pod, podEndpoint, service, slice, TestAssignment, TestLocalPods } from '../network/world.ts';

const ZONE = { domain: 'cluster.local', podCIDR: '198.19.0.0/17', serviceCIDR: '198.19.128.0/17' };
const web = service('web', '198.19.128.10', [
  { name: 'http', port: 80 },
  { name: 'dns', port: 53, protocol: 'UDP' },
]);
const db = service('db', 'None', [{ name: 'sql', port: 5432 }]);
const db0 = pod('db-0');
const early = service('early', 'None', [{ port: 80 }], { publishNotReadyAddresses: true });
const alias = service('alias', '', [], { type: 'ExternalName', externalName: 'DB.example.com.', clusterIP: '' });
const tooLong = service('too-long', '', [], {
  type: 'ExternalName',
  externalName: `${'x'.repeat(64)}.example.com`,
  clusterIP: '',
});
const objects = [
  web,
  slice(web, [endpoint('198.19.1.2')]),
  db,
  slice(
    db,
    [
      { ...endpoint('198.19.1.3'), hostname: 'db-0' },
      { ...endpoint('198.19.2.3'), hostname: 'db-1' },
      endpoint('198.19.2.4'),
      { ...endpoint('198.19.2.5', 'unready'), hostname: 'db-2' },
      { ...endpoint('198.19.2.6', 'terminating'), hostname: 'db-3' },
    ],
    'a',
    5432,
  ),
  early,
  alias,
  tooLong,
];

function ask(
  name: string,
  type: keyof typeof DNS_TYPE,
  names = new AssignedNames(new TestAssignment('n', objects).current(), NO_LOCAL_PODS),
  zone = ZONE,
): DnsAnswer | undefined {
  return answerCluster({ name, type: DNS_TYPE[type] }, names, zone);
}

function words({ name, data }: DnsRecord): string {
  switch (data.type) {
    case 'A':
      return `${name} A ${'address' in data ? data.address : ''}`;
    case 'SRV':
      return `${name} SRV ${data.priority} ${data.weight} ${data.port} ${data.target}`;
    case 'CNAME':
    case 'PTR':
      return `${name} ${data.type} ${data.target}`;
    case 'TXT':
      return `${name} TXT ${data.text}`;
    case 'SOA':
    case 'AAAA':
      return `${name} ${data.type}`;
  }
}

/** Records, `nothing` of that type at a name that is there, `no name`, or `not ours`. */
function told(answer: DnsAnswer | undefined): readonly string[] | string {
  if (!answer) return 'not ours';
  assert.equal(answer.authoritative, true);
  if (answer.answers.length > 0) return answer.answers.map(words);
  assert.deepEqual(answer.authority?.map(words), ['cluster.local SOA']);
  return answer.code === 3 ? 'no name' : 'nothing';
}

const Z = 'default.svc.cluster.local';
describe('the answer to', () => {
  for (const [name, type, wanted] of [
    ['dns-version.cluster.local', 'TXT', ['dns-version.cluster.local TXT 1.1.0']],
    [`web.${Z}`, 'A', [`web.${Z} A 198.19.128.10`]],
    [`web.${Z}`, 'AAAA', 'nothing'],
    [`web.${Z}`, 'TXT', 'nothing'],
    [`no.${Z}`, 'A', 'no name'],
    ['web.no.svc.cluster.local', 'A', 'no name'],
    [Z, 'A', 'nothing'],
    ['no.svc.cluster.local', 'A', 'no name'],
    ['svc.cluster.local', 'A', 'nothing'],
    ['cluster.local', 'SOA', ['cluster.local SOA']],
    ['any.cluster.local', 'A', 'no name'],
    ['web.default', 'A', 'not ours'],
    ['notcluster.local', 'A', 'not ours'],
    [`_http._tcp.web.${Z}`, 'SRV', [`_http._tcp.web.${Z} SRV 0 100 80 web.${Z}`]],
    [`_dns._udp.web.${Z}`, 'SRV', [`_dns._udp.web.${Z} SRV 0 100 53 web.${Z}`]],
    [`_http._udp.web.${Z}`, 'SRV', 'no name'],
    [`_http._tcp.web.${Z}`, 'A', 'nothing'],
    [`web.${Z}`, 'SRV', [`web.${Z} SRV 0 50 80 web.${Z}`, `web.${Z} SRV 0 50 53 web.${Z}`]],
    ['10.128.19.198.in-addr.arpa', 'PTR', [`10.128.19.198.in-addr.arpa PTR web.${Z}`]],
    ['11.128.19.198.in-addr.arpa', 'PTR', 'no name'],
    ['1.2.0.192.in-addr.arpa', 'PTR', 'not ours'],
    ['x.in-addr.arpa', 'PTR', 'not ours'],
    // Headless: its ready endpoints, by host name or by address with dashes.
    [`db.${Z}`, 'A', [`db.${Z} A 198.19.1.3`, `db.${Z} A 198.19.2.3`, `db.${Z} A 198.19.2.4`]],
    [`db-0.db.${Z}`, 'A', [`db-0.db.${Z} A 198.19.1.3`]],
    [`db-0.db.${Z}`, 'AAAA', 'nothing'],
    [`198-19-2-4.db.${Z}`, 'A', [`198-19-2-4.db.${Z} A 198.19.2.4`]],
    [`db-2.db.${Z}`, 'A', 'no name'],
    [`db-3.db.${Z}`, 'A', 'no name'],
    [
      `_sql._tcp.db.${Z}`,
      'SRV',
      [
        `_sql._tcp.db.${Z} SRV 0 33 5432 db-0.db.${Z}`,
        `_sql._tcp.db.${Z} SRV 0 33 5432 db-1.db.${Z}`,
        `_sql._tcp.db.${Z} SRV 0 33 5432 198-19-2-4.db.${Z}`,
      ],
    ],
    ['3.1.19.198.in-addr.arpa', 'PTR', [`3.1.19.198.in-addr.arpa PTR db-0.db.${Z}`]],
    ['5.2.19.198.in-addr.arpa', 'PTR', 'no name'],
    [`early.${Z}`, 'A', 'nothing'],
    [`alias.${Z}`, 'A', [`alias.${Z} CNAME db.example.com`]],
    [`alias.${Z}`, 'AAAA', [`alias.${Z} CNAME db.example.com`]],
    [`too-long.${Z}`, 'A', 'nothing'],
    // Pods by address.
    ['198-19-1-9.default.pod.cluster.local', 'A', ['198-19-1-9.default.pod.cluster.local A 198.19.1.9']],
    ['192-0-2-1.default.pod.cluster.local', 'A', 'no name'],
    ['x.default.pod.cluster.local', 'A', 'no name'],
    [`a.b.c.d.web.${Z}`, 'A', 'no name'],
  ] as const)
    it(`${type} ${name}`, () => assert.deepEqual(told(ask(name, type)), wanted));

  it('SRV of a headless Service brings the addresses along', () => {
    const answer = ask(`_sql._tcp.db.${Z}`, 'SRV');
    assert.deepEqual(answer?.additional?.map(words), [
      `db-0.db.${Z} A 198.19.1.3`,
      `db-1.db.${Z} A 198.19.2.3`,
      `198-19-2-4.db.${Z} A 198.19.2.4`,
    ]);
  });
});

describe('the names of an assignment', () => {
  it("follow this node's own pods at once, with or without a control plane", () => {
    const endpoints = [{ ...podEndpoint(db0, 'n', '198.19.1.3'), hostname: 'db-0' }];
    const assignment = new TestAssignment('n', [db, slice(db, endpoints), db0]);
    const pods = new TestLocalPods();
    const names = new AssignedNames(assignment.current(), pods);
    pods.onChange((changed) => names.update(assignment.current(), changed));
    pods.see(db0, '198.19.1.77');
    assert.deepEqual(told(ask(`db-0.db.${Z}`, 'A', names)), [`db-0.db.${Z} A 198.19.1.77`]);
    pods.see(db0, '198.19.1.77', false);
    assert.equal(told(ask(`db-0.db.${Z}`, 'A', names)), 'no name');
  });

  it('are found out once, until something of them changes', () => {
    const other = slice(early, [endpoint('198.19.2.9')]);
    const assignment = new TestAssignment('n', [db, slice(db, [endpoint('198.19.1.3')]), early, other]);
    const names = new AssignedNames(assignment.current(), NO_LOCAL_PODS);
    assignment.onChange((changed) => names.update(assignment.current(), changed));
    const found = names.endpoints('default', 'db');
    assignment.set(slice(early, [endpoint('198.19.2.10')]));
    assert.equal(names.endpoints('default', 'db'), found);
    assignment.set(slice(db, [endpoint('198.19.1.4')]));
    assert.deepEqual(
      names.endpoints('default', 'db').map(({ address }) => address),
      ['198.19.1.4'],
    );
  });

  it('are after any changes what they are from the beginning', () => {
    const pool = [web, db, early, ...objects.filter(({ kind }) => kind === 'EndpointSlice')];
    const keys = pool.map((object) => objectKey(object.kind, object.metadata.namespace, object.metadata.name));
    const questions = ['A', 'SRV', 'PTR'] as const;
    const asked = ['web', 'db', 'early', 'db-0.db', '_sql._tcp.db'].map((name) => `${name}.${Z}`);
    asked.push('3.1.19.198.in-addr.arpa', '10.128.19.198.in-addr.arpa', Z);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(pool.length - 1), fc.boolean()), { maxLength: 12 }), (moves) => {
        const assignment = new TestAssignment('n');
        const names = new AssignedNames(assignment.current(), NO_LOCAL_PODS);
        assignment.onChange((changed) => names.update(assignment.current(), changed));
        for (const [index, present] of moves) {
          const [object, key] = [pool[index], keys[index]];
          if (object && present) assignment.set(object);
          else if (key) assignment.remove(key);
          // What was found out for an answer is not kept longer than it holds.
          for (const name of asked) ask(name, 'A', names);
        }
        const fresh = new AssignedNames(assignment.current(), NO_LOCAL_PODS);
        for (const name of asked)
          for (const type of questions) assert.deepEqual(ask(name, type, names), ask(name, type, fresh));
      }),
    );
  });
});

describe('another domain than cluster.local', () => {
  const names = new AssignedNames(new TestAssignment('n', objects).current(), NO_LOCAL_PODS);
  const zone = { ...ZONE, domain: 'lab.example' };
  const rows: readonly (readonly [string, keyof typeof DNS_TYPE, readonly string[] | undefined])[] = [
    ['web.default.svc.lab.example', 'A', ['web.default.svc.lab.example A 198.19.128.10']],
    ['db-0.db.default.svc.lab.example', 'A', ['db-0.db.default.svc.lab.example A 198.19.1.3']],
    [
      '_http._tcp.web.default.svc.lab.example',
      'SRV',
      ['_http._tcp.web.default.svc.lab.example SRV 0 100 80 web.default.svc.lab.example'],
    ],
    ['10.128.19.198.in-addr.arpa', 'PTR', ['10.128.19.198.in-addr.arpa PTR web.default.svc.lab.example']],
    ['lab.example', 'SOA', ['lab.example SOA']],
    ['www.lab.example', 'A', []],
    ['xlab.example', 'A', undefined],
    ['web.default.svc.cluster.local', 'A', undefined],
  ];
  for (const [name, type, wanted] of rows)
    it(`${name} ${type}`, () => assert.deepEqual(ask(name, type, names, zone)?.answers.map(words), wanted));
});
