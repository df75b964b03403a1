import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { bridgeName, hostNamed, hostsOf, labSettings, machineAddress, registryAddress } from '../../../lab/settings.ts';

const wanted = { name: 'plumb', dir: '/var/lib/lab', subnet: '198.18.0.0/24', nodes: 3, registry: true };

describe('lab settings', () => {
  it('gives every host a name, an address, a port at the bridge and a hardware address of its own', () => {
    const hosts = hostsOf(labSettings(wanted));
    assert.deepEqual(
      hosts.map((h) => [h.name, h.address, h.port]),
      [
        ['node-1', '198.18.0.11', 'plumb-n1'],
        ['node-2', '198.18.0.12', 'plumb-n2'],
        ['node-3', '198.18.0.13', 'plumb-n3'],
      ],
    );
    assert.equal(new Set(hosts.map((h) => h.mac)).size, 3);
    assert.equal(hosts[0]?.mac, '02:70:c6:12:00:0b');
  });

  it('puts the machine and the registry on the first address', () => {
    const settings = labSettings(wanted);
    assert.deepEqual(
      [machineAddress(settings), registryAddress(settings), bridgeName(settings)],
      ['198.18.0.1', '198.18.0.1:5000', 'plumb-br'],
    );
  });

  it('keeps every device name within the 15 characters the kernel allows', () => {
    const settings = labSettings({ ...wanted, name: 'abcdefghij', nodes: 32 });
    for (const name of [bridgeName(settings), ...hostsOf(settings).map((h) => h.port)])
      assert.ok(name.length <= 15, name);
  });

  it('clears host bits of the subnet', () => {
    assert.equal(labSettings({ ...wanted, subnet: '198.19.3.77/24' }).subnet, '198.19.3.0/24');
  });

  const refusals: readonly (readonly [what: string, change: Partial<typeof wanted>, words: RegExp])[] = [
    ['a name that is too long', { name: 'abcdefghijk' }, /cannot name a lab/],
    ['a name with capitals', { name: 'Lab' }, /cannot name a lab/],
    ['no nodes', { nodes: 0 }, /1 to 32 nodes/],
    ['too many nodes', { nodes: 33 }, /1 to 32 nodes/],
    ['a subnet of the internet', { subnet: '192.168.0.0/24' }, /198\.18\.0\.0\/15/],
    ['a subnet that is no subnet', { subnet: 'here' }, /198\.18\.0\.0\/15/],
    ['a subnet that is too small', { subnet: '198.18.0.0/28', nodes: 5 }, /too small for 5 nodes/],
    ['a relative folder', { dir: 'lab' }, /absolute path/],
    ['a folder with a space', { dir: '/var/my lab' }, /absolute path/],
  ];
  for (const [what, change, words] of refusals) {
    it(`refuses ${what} with exit code 2`, () => {
      assert.throws(
        () => labSettings({ ...wanted, ...change }),
        (error: Error & { exitCode?: number }) => words.test(error.message) && error.exitCode === 2,
      );
    });
  }

  it('names the hosts there are when one is asked for that is not', () => {
    assert.throws(() => hostNamed(labSettings(wanted), 'node-9'), /it has node-1, node-2, node-3/);
  });
});
