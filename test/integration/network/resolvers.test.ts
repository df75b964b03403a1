/** The node's DNS server asked by the resolvers that images have: glibc's, musl's, and `dig`, which knows all of the protocol. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { decode, encode } from 'dns-packet';
import { dnsSockets } from '../../../nodeagent/adapters/dns/dns-sockets.ts';
import { createRunCommand } from '../../../nodeagent/adapters/process/run-command.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { NO_LOCAL_PODS } from '../../../nodeagent/core/local-pods.ts';
import { startDnsServer, type DnsServerLoop } from '../../../nodeagent/loops/dns-server.ts';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { makeFolder } from '../../support/folder.ts';
import { cluster, endpoint, node, service, slice, TestAssignment } from '../../unit/network/world.ts';
import { cannotRun } from './namespace.ts';

/** Resolvers ask port 53 alone. */
const AT = { address: '127.53.2.1', port: 53 };
const OTHER = { address: '127.53.2.2', port: 10_053 };
const SILENT_LOG = { debug() {}, info() {}, warn() {}, error() {} };
const MANY = 90;
const ZONE = 'default.svc.cluster.local';
/** As a pod has it. */
const RESOLV_CONF = `search ${ZONE} svc.cluster.local cluster.local\nnameserver ${AT.address}\noptions ndots:5\n`;

/** Prints the addresses of a name, each once, or why there are none. */
const PROGRAM = `
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv) {
  struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found, *one;
  int code = argc == 2 ? getaddrinfo(argv[1], NULL, &hints, &found) : EAI_FAIL;
  if (code) { puts(gai_strerror(code)); return 2; }
  for (one = found; one; one = one->ai_next) puts(inet_ntoa(((struct sockaddr_in *)one->ai_addr)->sin_addr));
  return 0;
}
`;

/** The same by the C library that Node.js is linked with. `getent` finds nothing on a machine that has no address but those of loopback. */
const LOOKUP = `require('dns').lookup(process.argv[1], { all: true, family: 4 }, (error, found) => {
  if (error) process.exit(2);
  for (const { address } of found) console.log(address);
})`;

const web = service('web', '198.19.128.10', [{ name: 'http', port: 80 }]);
const many = service('many', 'None', [{ port: 80 }]);
const alias = service('alias', '', [], { type: 'ExternalName', externalName: 'db.example.com', clusterIP: '' });
/** Each is an alias of the other. */
const [round, robin] = ['round', 'robin'].map((name) =>
  service(name, '', [], {
    type: 'ExternalName',
    externalName: `${name === 'round' ? 'robin' : 'round'}.${ZONE}`,
    clusterIP: '',
  }),
);
assert.ok(round && robin);
const crowd = Array.from({ length: 10_000 }, (_, i) =>
  service(`crowd-${i}`, `198.19.${160 + (i >> 8)}.${i & 255}`, [{ name: 'http', port: 80 }]),
);
const settings = cluster();

const cannot = cannotRun(['dig', 'unshare', 'musl-gcc']);

describe('resolvers that ask the server of a node', { skip: cannot ?? false }, () => {
  const folder = makeFolder('resolvers-');
  const run = createRunCommand();
  const signal = new AbortController().signal;
  const other = createSocket('udp4');
  let loop: DnsServerLoop;

  before(async () => {
    other.on('message', (message, from) => {
      const { id = 0, questions: [question] = [] } = decode(message);
      if (!question) return;
      const known = question.name === 'db.example.com' && question.type === 'A';
      const answers = known ? [{ type: 'A' as const, name: question.name, ttl: 60, data: '192.0.2.9' }] : [];
      const flags = question.name === 'db.example.com' ? 0x8180 : 0x8183;
      other.send(encode({ type: 'response', id, flags, questions: [question], answers }), from.port, from.address);
    });
    other.bind(OTHER.port, OTHER.address);
    await once(other, 'listening');
    loop = startDnsServer({
      assignment: new TestAssignment('n', [
        node('n', '198.18.0.1', '198.19.1.0/24'),
        { ...settings, spec: { ...settings.spec, dns: { servers: [`${OTHER.address}:${OTHER.port}`] } } },
        web,
        alias,
        round,
        robin,
        ...crowd,
        many,
        slice(
          many,
          Array.from({ length: MANY }, (_, i) => endpoint(`198.19.2.${i + 1}`)),
        ),
      ]),
      pods: NO_LOCAL_PODS,
      sockets: dnsSockets,
      clock: systemClock,
      log: SILENT_LOG,
      ofHost: () => Promise.resolve({ etc: undefined, behindStub: undefined }),
      randomId: () => Math.floor(Math.random() * 65_536),
      onEvent: () => undefined,
      at: AT,
    });
    await loop.listening();
    await writeFile(join(folder, 'resolv.conf'), RESOLV_CONF);
    await writeFile(join(folder, 'hosts'), '127.0.0.1 localhost\n');
    await writeFile(join(folder, 'resolve.c'), PROGRAM);
    const built = await run(['musl-gcc', '-static', '-o', join(folder, 'musl'), join(folder, 'resolve.c')], { signal });
    assert.equal(built.code, 0, built.stderr);
  });
  after(async () => {
    await loop?.close();
    other.close();
    await removeFolder(folder);
  });

  const dig = async (...words: readonly string[]): Promise<string> => {
    const { stdout } = await run(['dig', `@${AT.address}`, '+time=3', '+tries=1', ...words], { signal });
    return stdout.trim();
  };
  /** Addresses that a program prints, with the resolver's settings of a pod, in order and each once; its words where there are none. */
  const resolvedBy = async (...argv: readonly string[]): Promise<readonly string[]> => {
    const script = `mount --bind ${folder}/resolv.conf /etc/resolv.conf && mount --bind ${folder}/hosts /etc/hosts && exec "$@"`;
    const { code, stdout } = await run(['unshare', '--mount', 'sh', '-c', script, 'sh', ...argv], { signal });
    const lines = stdout.trim().split('\n');
    return code === 0 ? [...new Set(lines.map((line) => line.split(' ')[0] ?? ''))].sort() : [`none: ${code}`];
  };

  describe('dig', () => {
    const cases: readonly (readonly [what: string, words: readonly string[], said: string])[] = [
      ['an address', [`web.${ZONE}`, '+short'], '198.19.128.10'],
      ['over TCP', [`web.${ZONE}`, '+tcp', '+short'], '198.19.128.10'],
      ['a name of any case', [`WEB.${ZONE.toUpperCase()}`, '+short'], '198.19.128.10'],
      ['no address of the other family', [`web.${ZONE}`, 'AAAA', '+short'], ''],
      ['a port', [`_http._tcp.web.${ZONE}`, 'SRV', '+short'], `0 100 80 web.${ZONE}.`],
      ['an address back', ['-x', '198.19.128.10', '+short'], `web.${ZONE}.`],
      ['an alias, and what it stands for', [`alias.${ZONE}`, '+short'], 'db.example.com.\n192.0.2.9'],
      ['a name of others', ['db.example.com', '+short'], '192.0.2.9'],
      ['the version of the specification', ['dns-version.cluster.local', 'TXT', '+short'], '"1.1.0"'],
    ];
    for (const [what, words, said] of cases) it(what, async () => assert.equal(await dig(...words), said));

    it('any of 10,000 names, and their addresses', async () => {
      for (const i of [0, 4711, 9999]) {
        const address = crowd[i]?.spec.clusterIP ?? '';
        assert.equal(await dig(`crowd-${i}.${ZONE}`, '+short'), address);
        assert.equal(await dig('-x', address, '+short'), `crowd-${i}.${ZONE}.`);
      }
    });

    it('that aliases lead to each other without an end', async () => {
      const said = await dig(`round.${ZONE}`);
      assert.match(said, /status: SERVFAIL/);
      assert.equal(await dig(`web.${ZONE}`, '+short'), '198.19.128.10');
    });

    it('that there is no such name, and for how long', async () => {
      const said = await dig(`no.${ZONE}`);
      assert.match(said, /status: NXDOMAIN/);
      assert.match(said, /cluster\.local\.\s+\d+\s+IN\s+SOA/);
    });

    it('what is too long for a datagram, over TCP by itself, with EDNS and without', async () => {
      for (const more of ['+edns=0', '+noedns', '+bufsize=1232'])
        assert.equal((await dig(`many.${ZONE}`, '+short', more)).split('\n').length, MANY, more);
      const cut = await dig(`many.${ZONE}`, '+ignore', '+noedns');
      assert.match(cut, /flags: qr aa tc rd ra;.*ANSWER: 2[89]/);
      assert.match(await dig(`web.${ZONE}`), /EDNS: version: 0, flags:; udp: \d+/);
    });

    it('an unknown type, class and operation without an end of the server', async () => {
      assert.match(await dig(`web.${ZONE}`, 'TYPE65', '+noall', '+comments'), /status: NOERROR/);
      assert.match(await dig(`web.${ZONE}`, '-c', 'CH', '+noall', '+comments'), /status: REFUSED/);
      assert.match(await dig(`web.${ZONE}`, '+opcode=notify', '+noall', '+comments'), /status: NOTIMP/);
      assert.equal(await dig(`web.${ZONE}`, '+short'), '198.19.128.10');
    });
  });

  for (const [library, argv] of [
    ['glibc', [process.execPath, '-e', LOOKUP]],
    ['musl', [join(folder, 'musl')]],
  ] as const)
    describe(`${library}'s resolver`, () => {
      for (const [name, addresses] of [
        ['web', ['198.19.128.10']],
        ['web.default', ['198.19.128.10']],
        ['web.default.svc', ['198.19.128.10']],
        [`web.${ZONE}`, ['198.19.128.10']],
        [`web.${ZONE}.`, ['198.19.128.10']],
        ['alias', ['192.0.2.9']],
        // By way of all search domains, none of which has it.
        ['db.example.com', ['192.0.2.9']],
        ['nobody', ['none: 2']],
        ['no.example.com', ['none: 2']],
      ] as const)
        it(`finds ${name}: ${addresses.join()}`, async () =>
          assert.deepEqual(await resolvedBy(...argv, name), addresses));

      it('finds addresses of a Service that has many', async () => {
        const found = await resolvedBy(...argv, 'many');
        // musl asks no TCP before 1.2.4, and has what fits into a datagram.
        assert.ok(library === 'glibc' ? found.length === MANY : found.length >= 28, `${found.length}: ${found.join()}`);
        assert.ok(found.every((address) => address.startsWith('198.19.2.')));
      });
    });
});
