import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explainIptablesFailure } from '../../../nodeagent/adapters/iptables/stderr.ts';
import type { Forwarding, PlanOwner } from '../../../nodeagent/core/data-plane/plan.ts';
import { describeDamage, readNat } from '../../../nodeagent/core/iptables/listing.ts';
import { HOOKS } from '../../../nodeagent/core/iptables/model.ts';
import { renderChange, renderRemoval, renderWhole } from '../../../nodeagent/core/iptables/render.ts';
import { Chains } from '../../../nodeagent/core/iptables/ruleset.ts';

const forwarding = (more: Partial<Forwarding> = {}): Forwarding => ({
  origin: { of: 'service-port', namespace: 'default', service: 'web', port: 'http' },
  protocol: 'TCP',
  frontends: [
    { at: 'service-address', address: '198.19.128.10', port: 80 },
    { at: 'node-port', port: 30080 },
  ],
  targets: [
    { address: '198.19.1.5', port: 8080 },
    { address: '198.19.2.5', port: 8080 },
  ],
  localTargets: ['198.19.1.5'],
  known: [],
  ending: [],
  ...more,
});
const WEB: PlanOwner = 'services/default/web';
const of = (owner: PlanOwner, ...list: Forwarding[]): ReadonlyMap<PlanOwner, readonly Forwarding[]> =>
  new Map([[owner, list]]);
const chainsOf = (...list: Forwarding[]): Chains => {
  const chains = new Chains('IPv4');
  chains.change(of(WEB, ...list));
  return chains;
};
const NOTHING = readNat('');
/** With the hashes left out. */
const plain = (text: string): string[] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.replaceAll(/-[0-9A-F]{16}/g, '-*'));

describe('chains of iptables', () => {
  it('are written whole in one transaction, whatever was there', () => {
    const there = readNat(
      [
        '*filter',
        ':PLUMB-NOT-OURS - [0:0]',
        '*nat',
        ':PREROUTING ACCEPT [0:0]',
        ':PLUMB-OLD - [0:0]',
        '-A PREROUTING -d 192.0.2.1/32 -j OTHER',
        '-A OUTPUT -m comment --comment "plumbline" -j PLUMB-SERVICES',
        '-A OUTPUT -j PLUMB-SERVICES',
        'COMMIT',
      ].join('\n'),
    );
    assert.deepEqual(plain(renderWhole(chainsOf(forwarding()).all.values(), '7', there)), [
      '*nat',
      ':PLUMB-SERVICES - [0:0]',
      ':PLUMB-MACHINE - [0:0]',
      ':PLUMB-ANYWHERE - [0:0]',
      ':PLUMB-SVC-* - [0:0]',
      ':PLUMB-OLD - [0:0]',
      ':PLUMB-GENERATION - [0:0]',
      '-I PREROUTING 1 -m comment --comment "plumbline: Services and host ports" -j PLUMB-SERVICES',
      '-D OUTPUT -j PLUMB-SERVICES',
      '-A PLUMB-SERVICES -d 198.19.128.10/32 -p tcp -m tcp --dport 80 -m comment --comment "default/web:http TCP" -g PLUMB-SVC-*',
      '-A PLUMB-SERVICES -m addrtype --dst-type LOCAL -g PLUMB-MACHINE',
      '-A PLUMB-MACHINE ! -d 127.0.0.0/8 -g PLUMB-ANYWHERE',
      '-A PLUMB-ANYWHERE -p tcp -m tcp --dport 30080 -m comment --comment "default/web:http TCP" -g PLUMB-SVC-*',
      '-A PLUMB-SVC-* -j MARK --set-xmark 0x2000/0x2000',
      '-A PLUMB-SVC-* -p tcp -m statistic --mode random --probability 0.5000000000 -j DNAT --to-destination 198.19.1.5:8080',
      '-A PLUMB-SVC-* -p tcp -j DNAT --to-destination 198.19.2.5:8080',
      '-A PLUMB-GENERATION -m comment --comment "7"',
      '-X PLUMB-OLD',
      'COMMIT',
    ]);
  });

  it('of a sticky Service ask each endpoint whether it knows the client', () => {
    const text = plain(
      renderWhole(chainsOf(forwarding({ affinity: { timeoutSeconds: 60 } })).all.values(), '1', NOTHING),
    ).filter((line) => /^-A PLUMB-(?:SVC|END)/.test(line));
    assert.deepEqual(text, [
      '-A PLUMB-END-* -m recent --name PLUMB-END-* --set --rsource -j MARK --set-xmark 0x2000/0x2000',
      '-A PLUMB-END-* -p tcp -j DNAT --to-destination 198.19.1.5:8080',
      '-A PLUMB-END-* -m recent --name PLUMB-END-* --set --rsource -j MARK --set-xmark 0x2000/0x2000',
      '-A PLUMB-END-* -p tcp -j DNAT --to-destination 198.19.2.5:8080',
      '-A PLUMB-SVC-* -m recent --name PLUMB-END-* --rcheck --seconds 60 --reap --rsource -g PLUMB-END-*',
      '-A PLUMB-SVC-* -m recent --name PLUMB-END-* --rcheck --seconds 60 --reap --rsource -g PLUMB-END-*',
      '-A PLUMB-SVC-* -m statistic --mode random --probability 0.5000000000 -g PLUMB-END-*',
      '-A PLUMB-SVC-* -g PLUMB-END-*',
    ]);
  });

  it('of IPv6 have addresses of it', () => {
    const chains = new Chains('IPv6');
    const target = { address: 'fd00::5', port: 8080 };
    const frontend = { at: 'service-address', address: 'fd00:96::a', port: 80 } as const;
    chains.change(of(WEB, forwarding({ frontends: [frontend], targets: [target] })));
    const text = renderWhole(chains.all.values(), '1', NOTHING);
    for (const part of ['-d fd00:96::a/128 ', '! -d ::1/128 ', '--to-destination [fd00::5]:8080'])
      assert.ok(text.includes(part), part);
  });

  it('are changed where they differ, and only on top of what was written last', () => {
    const chains = chainsOf(forwarding());
    const one = forwarding({ targets: [{ address: '198.19.2.5', port: 8080 }] });
    assert.deepEqual(plain(renderChange(chains.change(of(WEB, one)), '7', '8')), [
      '*nat',
      ':PLUMB-SVC-* - [0:0]',
      '-D PLUMB-GENERATION -m comment --comment "7"',
      '-A PLUMB-SVC-* -j MARK --set-xmark 0x2000/0x2000',
      '-A PLUMB-SVC-* -p tcp -j DNAT --to-destination 198.19.2.5:8080',
      '-A PLUMB-GENERATION -m comment --comment "8"',
      'COMMIT',
    ]);
    assert.deepEqual(chains.change(of(WEB, one)), { set: [], gone: [] });
    const none = plain(renderChange(chains.change(of(WEB)), '8', '9'));
    assert.ok(none.includes('-X PLUMB-SVC-*'));
    assert.deepEqual([...chains.all.values()], [...new Chains('IPv4').all.values()]);
  });

  it('lead nobody to a Service without endpoints', () => {
    const chains = chainsOf(forwarding({ targets: [] }));
    assert.deepEqual([...chains.all.values()], [...new Chains('IPv4').all.values()]);
  });

  it('are taken away in two transactions, of which the first has all that matters', () => {
    const [first = '', second = '', ...more] = renderRemoval(readNat(savedFrom(chainsOf(forwarding()), '7')));
    assert.deepEqual(more, []);
    assert.deepEqual(
      plain(first).filter((line) => /^-[XD]/.test(line)),
      [
        '-D PREROUTING -j PLUMB-SERVICES',
        '-D OUTPUT -j PLUMB-SERVICES',
        '-X PLUMB-SERVICES',
        '-X PLUMB-MACHINE',
        '-X PLUMB-ANYWHERE',
        '-X PLUMB-SVC-*',
      ],
    );
    assert.match(second, /^-X PLUMB-GENERATION$/m);
    assert.deepEqual(renderRemoval(NOTHING), []);
  });
});

/** As `iptables-save` lists what was written. */
function savedFrom(chains: Chains, generation: string): string {
  const text = renderWhole(chains.all.values(), generation, NOTHING);
  return text.replaceAll(/-I (\S+) 1 .* -j/g, '-A $1 -j').replaceAll(/ --comment "(\S+)"$/gm, ' --comment $1');
}

describe('a listing of iptables', () => {
  const chains = chainsOf(forwarding());
  const saved = savedFrom(chains, '7');
  const damage = (listing: string): string | undefined => describeDamage(chains.all, HOOKS, readNat(listing));
  const without = (line: RegExp): string =>
    saved
      .split('\n')
      .filter((one) => !line.test(one))
      .join('\n');

  it('tells the generation, and nothing else where all is as written', () => {
    assert.equal(readNat(saved).generation, '7');
    assert.equal(damage(saved), undefined);
  });

  for (const [name, listing, expected] of [
    ['nothing', '', 'iptables chain PREROUTING does not lead to ours'],
    ['no jump', without(/^-A OUTPUT/), 'iptables chain OUTPUT does not lead to ours'],
    ['a chain less', without(/^(?::|-A )PLUMB-MACHINE/), 'iptables chain PLUMB-MACHINE is gone'],
    ['an empty chain', without(/^-A PLUMB-ANYWHERE/), 'iptables chain PLUMB-ANYWHERE has 0 rules, not 1'],
    ['a chain more', saved.replace('*nat', '*nat\n:PLUMB-MORE - [0:0]'), 'there are 5 iptables chains, not 4'],
  ] as const)
    it(`of ${name} is damage`, () => {
      assert.equal(damage(listing), expected);
    });
});

describe('why iptables refuses', () => {
  for (const [said, told] of [
    [
      "iptables-restore v1.8.9 (legacy): Couldn't load match `recent':No such file or directory\n\nError occurred at line: 3\nTry `iptables-restore -h' for more information.\n",
      "iptables-restore refused: Couldn't load match `recent':No such file or directory",
    ],
    [
      '# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\niptables-nft-restore v1.8.9 (nf_tables): \nline 5: RULE_APPEND failed (No such file or directory): rule in chain X\n',
      'iptables-restore refused: line 5: RULE_APPEND failed (No such file or directory): rule in chain X',
    ],
    ['', 'iptables-restore ended with code 1 and said nothing'],
  ] as const)
    it(told, () => {
      assert.equal(explainIptablesFailure('iptables-restore', 1, said), told);
    });
});
