import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explainFailure } from '../../../nodeagent/adapters/ipvs/stderr.ts';
import type { Forwarding, Frontend, PlanOwner } from '../../../nodeagent/core/data-plane/plan.ts';
import { wantedServers } from '../../../nodeagent/core/ipvs/compile.ts';
import { describeDamage, planServers } from '../../../nodeagent/core/ipvs/diff.ts';
import { readLocalRoutes, readServers } from '../../../nodeagent/core/ipvs/listing.ts';
import { renderCommands, renderRoutes } from '../../../nodeagent/core/ipvs/render.ts';
import type { VirtualServer, WantedServer } from '../../../nodeagent/core/ipvs/model.ts';
import type { NetworkPolicy } from '../../../contracts/objects/index.ts';
import { traceByIpvs } from './iptables-trace.ts';
import { place, planOf, policy, space } from './policy-world.ts';
import { endpoint, service, slice } from './world.ts';
import { splitAround } from '../../../nodeagent/core/nftables/around.ts';
import { compilePlan } from '../../../nodeagent/core/nftables/compile.ts';
import { Ruleset } from '../../../nodeagent/core/nftables/delta.ts';
import type { Command } from '../../../nodeagent/core/nftables/model.ts';

const WEB: PlanOwner = 'services/default/web';
const target = (address: string, port = 8080): Forwarding['targets'][number] => ({ address, port });
const forwarding = (more: Partial<Forwarding> = {}): Forwarding => ({
  origin: { of: 'service-port', namespace: 'default', service: 'web', port: 'http' },
  protocol: 'TCP',
  frontends: [
    { at: 'service-address', address: '198.19.128.10', port: 80 },
    { at: 'node-port', port: 30080 },
  ],
  targets: [target('198.19.1.5'), target('198.19.2.5')],
  localTargets: ['198.19.1.5'],
  known: ['198.19.1.5', '198.19.2.5'],
  ending: [],
  ...more,
});
const of = (...list: Forwarding[]): ReadonlyMap<PlanOwner, readonly Forwarding[]> => new Map([[WEB, list]]);
type Servers = ReadonlyMap<string, VirtualServer>;
const NONE: Servers = new Map();
/** The commands from what is there to what these forwardings want, and what is there then. */
function step(there: Servers, ...list: Forwarding[]): { readonly lines: readonly string[]; readonly after: Servers } {
  const { commands, after } = planServers(wantedServers(of(...list), 'rr'), there);
  return { lines: renderCommands(commands).split('\n').filter(Boolean), after };
}

describe('virtual servers', () => {
  const { lines, after } = step(NONE, forwarding());
  const at = '-t 198.19.128.10:80';

  it('are made with their targets, each with the same weight', () => {
    assert.deepEqual(lines, [
      `-A ${at} -s rr`,
      `-a ${at} -r 198.19.1.5:8080 -m -w 1`,
      `-a ${at} -r 198.19.2.5:8080 -m -w 1`,
    ]);
    assert.deepEqual(step(after, forwarding()).lines, []);
  });

  for (const [name, frontend, protocol, expected] of [
    ['of UDP', { at: 'service-address', address: '198.19.128.10', port: 53 }, 'UDP', '-A -u 198.19.128.10:53 -s rr'],
    [
      'of SCTP',
      { at: 'service-address', address: '198.19.128.10', port: 9 },
      'SCTP',
      '-A --sctp-service 198.19.128.10:9 -s rr',
    ],
    ['of IPv6', { at: 'service-address', address: 'fd00::a', port: 80 }, 'TCP', '-A -t [fd00::a]:80 -s rr'],
    [
      'of a load balancer',
      { at: 'external-address', address: '192.0.2.1', port: 80, guarded: true, from: ['192.0.2.0/24'] },
      'TCP',
      '-A -t 192.0.2.1:80 -s rr',
    ],
    [
      'not of an address that may be a machine',
      { at: 'external-address', address: '192.0.2.1', port: 80, guarded: false },
      'TCP',
      undefined,
    ],
    ['not of a node port', { at: 'node-port', port: 30080 }, 'TCP', undefined],
    ['not of a host port', { at: 'host-port', address: '198.18.0.1', port: 80 }, 'TCP', undefined],
  ] as const satisfies readonly (readonly [string, Frontend, Forwarding['protocol'], string | undefined])[])
    it(`are there ${name}`, () => {
      assert.equal(step(NONE, forwarding({ frontends: [frontend], protocol })).lines[0], expected);
    });

  it('are not there where pods and strangers are led apart', () => {
    const insiders = { pods: '198.19.0.0/17', targets: [target('198.19.2.5')] };
    assert.deepEqual(step(NONE, forwarding({ insiders })).lines, []);
  });

  it('keep a client where it was for the time of its affinity', () => {
    const sticky = step(after, forwarding({ affinity: { timeoutSeconds: 60 } }));
    assert.deepEqual(sticky.lines, [`-E ${at} -s rr -p 60`]);
    assert.deepEqual(step(sticky.after, forwarding()).lines, [`-E ${at} -s rr`]);
  });

  it('choose in the way that is asked for', () => {
    const { commands } = planServers(wantedServers(of(forwarding()), 'sed'), after);
    assert.equal(renderCommands(commands), `-E ${at} -s sed\n`);
  });

  it('let the connections of a target go on that gets no new ones, until its pod is gone', () => {
    const left = forwarding({ targets: [target('198.19.2.5')] });
    const unready = step(after, left);
    assert.deepEqual(unready.lines, [`-e ${at} -r 198.19.1.5:8080 -m -w 0`]);
    const back = step(unready.after, forwarding());
    assert.deepEqual(back.lines, [`-e ${at} -r 198.19.1.5:8080 -m -w 1`]);
    const gone = step(unready.after, { ...left, known: ['198.19.2.5'] });
    assert.deepEqual(gone.lines, [`-d ${at} -r 198.19.1.5:8080`]);
  });

  it('of UDP lose such a target at once, as nobody says when a client is done', () => {
    const dns = (...targets: Forwarding['targets']): Forwarding => forwarding({ protocol: 'UDP', targets });
    const both = step(NONE, dns(target('198.19.1.5'), target('198.19.2.5')));
    assert.deepEqual(step(both.after, dns(target('198.19.2.5'))).lines, ['-d -u 198.19.128.10:80 -r 198.19.1.5:8080']);
  });

  it('stay for the connections that they have, and go with the last that may have one', () => {
    const none = step(after, forwarding({ targets: [] }));
    assert.deepEqual(none.lines, [`-e ${at} -r 198.19.1.5:8080 -m -w 0`, `-e ${at} -r 198.19.2.5:8080 -m -w 0`]);
    assert.deepEqual(step(none.after, forwarding({ targets: [], known: [] })).lines, [`-D ${at}`]);
    assert.deepEqual(step(NONE, forwarding({ targets: [] })).lines, []);
    assert.deepEqual(step(after).lines, [`-D ${at}`]);
  });

  it('are of the first owner by name that has targets', () => {
    const wanted = (...owners: [PlanOwner, Forwarding][]): WantedServer | undefined =>
      wantedServers(new Map(owners.map(([owner, one]) => [owner, [one]] as const)), 'rr').get('TCP 198.19.128.10 80');
    const other = forwarding({ targets: [target('198.19.3.5')] });
    const none = forwarding({ targets: [] });
    assert.deepEqual(
      wanted(['services/b/web', other], ['services/a/web', forwarding()])?.targets[0],
      '198.19.1.5 8080',
    );
    assert.deepEqual(wanted(['services/b/web', other], ['services/a/web', none])?.targets[0], '198.19.3.5 8080');
  });
});

const LISTING = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  198.19.128.10:80 rr persistent 60
  -> 198.19.1.5:8080              Masq    1      2          3
  -> 198.19.2.5:8080              Masq    0      0          0
UDP  198.19.128.53:53 lc
FWM  7 rr
  -> 198.19.9.9:1                 Masq    1      0          0
TCP  [fd00::a]:80 sh (sh-port)
  -> [fd00::5]:8080               Masq    1      0          0
`;

describe('a listing of virtual servers', () => {
  it('tells those of one family, and none by mark', () => {
    assert.deepEqual(
      [...readServers(LISTING, 'IPv4').values()],
      [
        {
          protocol: 'TCP',
          address: '198.19.128.10',
          port: 80,
          scheduler: 'rr',
          persistentSeconds: 60,
          connections: 5,
          targets: new Map([
            ['198.19.1.5 8080', 1],
            ['198.19.2.5 8080', 0],
          ]),
        },
        { protocol: 'UDP', address: '198.19.128.53', port: 53, scheduler: 'lc', connections: 0, targets: new Map() },
      ],
    );
    const [six] = readServers(LISTING, 'IPv6').values();
    assert.deepEqual([six?.address, six?.scheduler, ...(six?.targets.keys() ?? [])], ['fd00::a', 'sh', 'fd00::5 8080']);
  });

  it('is compared with what was written', () => {
    const there = readServers(LISTING, 'IPv4');
    assert.equal(describeDamage(there, there), undefined);
    const edited = (change: Partial<VirtualServer>): Servers => {
      const [[key, first] = assert.fail(), ...rest] = there;
      return new Map([[key, { ...first, ...change }], ...rest]);
    };
    for (const [live, expected] of [
      [NONE, 'virtual server TCP 198.19.128.10 80 is gone'],
      [edited({ scheduler: 'sh' }), 'virtual server TCP 198.19.128.10 80 chooses in another way'],
      [
        edited({ targets: new Map([['198.19.1.5 8080', 1]]) }),
        'virtual server TCP 198.19.128.10 80 has not 198.19.2.5 8080 with weight 0',
      ],
      [
        new Map([...there, ...[...there].slice(0, 1).map(([, one]) => ['TCP 198.19.128.10 81', one] as const)]),
        'there are 3 virtual servers, not 2',
      ],
    ] as const)
      assert.equal(describeDamage(there, live), expected);
  });

  it('of a routing table is of addresses', () => {
    const text =
      'local 198.19.128.10 dev lo scope host \nlocal fd00::a dev lo metric 1024 pref medium\nunreachable 192.0.2.1\n';
    assert.deepEqual([...readLocalRoutes(text)], ['198.19.128.10', 'fd00::a']);
    assert.deepEqual(renderRoutes('7846', new Set(['198.19.128.10', '198.19.128.11']), readLocalRoutes(text)), {
      add: ['route add local 198.19.128.11 dev lo table 7846'],
      remove: ['route del local fd00::a dev lo table 7846'],
    });
  });
});

describe('with IPVS a change of the table', () => {
  const words = (commands: readonly Command[]): string[] =>
    commands.flatMap((command) => {
      if (command.do === 'add-elements') return command.elements.map(({ key }) => `+ ${command.container.name} ${key}`);
      if (command.do === 'delete-elements') return command.elements.map(({ key }) => `- ${command.container} ${key}`);
      return [];
    });
  const ruleset = new Ruleset();
  const split = (one: Forwarding): { readonly before: string[]; readonly after: string[] } => {
    const commands = ruleset.change(compilePlan({ forwardings: of(one) }, 'ipvs'));
    const { before, after } = splitAround(commands, 'ipvs');
    return { before: words(before), after: words(after) };
  };
  const policy = {
    forwardBy: 'ipvs' as const,
    podRange: '198.19.0.0/17',
    serviceRange: '198.19.128.0/17',
    localRange: undefined,
    isForeign: false,
    ownAddress: undefined,
    nodeAddresses: [],
    overlayPort: undefined,
    proxyUser: undefined,
  };
  ruleset.change(compilePlan({ policy, forwardings: new Map() }, 'ipvs'));
  const frontends = [{ at: 'service-address', address: '198.19.128.10', port: 80 }] as const;
  const KEY = '198.19.128.10 . tcp . 80';

  it('leads to a server after it was made', () => {
    split(forwarding({ frontends, targets: [] }));
    const { before, after } = split(forwarding({ frontends, localTargets: [] }));
    assert.deepEqual(before, []);
    assert.deepEqual(after, [`- no-endpoint-services ${KEY}`, `+ service-ips ${KEY}`]);
  });

  it('leads there no more before it goes', () => {
    const { before, after } = split(forwarding({ frontends, targets: [] }));
    assert.deepEqual(before, [`- service-ips ${KEY}`, `+ no-endpoint-services ${KEY}`]);
    assert.deepEqual(after, []);
  });
});

describe('what IPVS leads', () => {
  const SPACES = [space('x', { ns: 'x' })];
  const web = service('web', '198.19.128.10', [{ port: 80, protocol: 'TCP' }]);
  const served = place('x', 'b', '198.19.1.5', 'n1');
  const client = place('x', 'c', '198.19.1.6', 'n1');
  const more = [web, slice(web, [endpoint(served.address)], 'a', 80)];
  const ends = (from: string, policies: Parameters<typeof planOf>[0]['policies']): string =>
    traceByIpvs(
      planOf({ policies, spaces: SPACES, pods: [served, client], more }, 'n1'),
      { addresses: ['198.18.0.1', '169.254.20.10'] },
      { from, to: '198.19.128.10', port: 80 },
    ).end;
  const closed = (pod: string, policyTypes: readonly string[]): NetworkPolicy =>
    policy('x', { podSelector: { matchLabels: { pod } }, policyTypes });

  for (const [name, from, policies, outcome] of [
    ['comes where no policy is', client.address, [], 'delivered'],
    ['is dropped where its target may not take it', client.address, [closed('b', ['Ingress'])], 'dropped'],
    ['is dropped where its sender may not open it', client.address, [closed('c', ['Egress'])], 'dropped'],
    ['is dropped of strangers too', '198.18.0.9', [closed('b', ['Ingress'])], 'dropped'],
    ["is the machine's own to send", '198.18.0.1', [closed('b', ['Ingress'])], 'delivered'],
  ] as const)
    it(name, () => {
      assert.equal(ends(from, policies), outcome);
    });
});

describe('why IPVS is refused', () => {
  for (const [said, told] of [
    [
      "Can't initialize ipvs: Protocol not available\nAre you sure that IP Virtual Server is built in the kernel or as module?\n",
      'the kernel of this machine has no IPVS, or has not loaded it: modprobe ip_vs, and ip_vs in a file of /etc/modules-load.d',
    ],
    ['Service not defined\n', 'ipvsadm refused: Service not defined'],
    ['', 'ipvsadm ended with code 2 and said nothing'],
  ] as const)
    it(told, () => {
      assert.equal(explainFailure('ipvsadm', 2, said), told);
    });
});
