/** Our CNI configuration with the real `ptp` and `host-local` plugins. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createRunCommand } from '../../../nodeagent/adapters/process/run-command.ts';
import { renderConflist } from '../../../nodeagent/core/cni/conflist.ts';
import { makeFolder } from '../../support/folder.ts';
import { makeLab, ask, readCni, type Lab } from './lab.ts';
import { cluster, node } from '../../unit/network/world.ts';
import { cannotRun, makeNamespace, type Namespace } from './namespace.ts';

const PLUGINS = ['/usr/lib/cni', '/opt/cni/bin'].find((folder) => existsSync(join(folder, 'ptp')));

describe(
  'network: CNI',
  { skip: cannotRun() ?? (PLUGINS === undefined ? 'needs containernetworking-plugins' : false), timeout: 600_000 },
  () => {
    let lab: Lab;
    let pod: Namespace;
    let folder: string;

    const plugin = async (command: 'ADD' | 'DEL'): Promise<string> => {
      const [n1] = lab.nodes;
      const list = JSON.parse(renderConflist({ podRange: '198.19.1.0/24', mtu: 1450, dataDir: folder })) as {
        cniVersion: string;
        name: string;
        plugins: object[];
      };
      const env = [
        `CNI_COMMAND=${command}`,
        'CNI_CONTAINERID=abc',
        `CNI_NETNS=/run/netns/${pod.name}`,
        'CNI_IFNAME=eth0',
        `CNI_PATH=${PLUGINS ?? ''}`,
      ];
      const run = createRunCommand({ prefix: [...n1.ns.enter, 'env', ...env] });
      const { code, stdout } = await run([join(PLUGINS ?? '', 'ptp')], {
        signal: new AbortController().signal,
        input: JSON.stringify({ cniVersion: list.cniVersion, name: list.name, ...list.plugins[0] }),
      });
      assert.equal(code, 0, stdout);
      return stdout;
    };

    before(async () => {
      folder = makeFolder('pnet-cni-');
      lab = await makeLab('cni', { cluster: cluster() });
      pod = makeNamespace('cni-pod');
      await pod.sh('ip', 'link', 'set', 'lo', 'up');
    });
    after(async () => {
      pod.remove();
      await lab.close();
      await rm(folder, { recursive: true, force: true });
    });

    it('makes a pod that its node, a pod elsewhere and the other node reach', async () => {
      const { ips } = JSON.parse(await plugin('ADD')) as { ips: { address: string; gateway: string }[] };
      assert.deepEqual(
        ips.map((i) => [i.address, i.gateway]),
        [['198.19.1.2/24', '198.19.1.1']],
      );
      assert.match(await pod.sh('ip', 'link', 'show', 'eth0'), /mtu 1450/);
      const [n1, n2] = lab.nodes;
      const other = await n2.pod(2);
      await lab.serve(pod, 8080, 'pod');
      await lab.serve(other.ns, 8080, 'other');
      await lab.serve(n1.ns, 9090, 'node');
      assert.equal(await ask(n1.ns, '198.19.1.2', 8080), 'pod 198.19.1.1 198.19.1.2');
      assert.match(await ask(n2.ns, '198.19.1.2', 8080), /^pod /);
      assert.equal(await ask(other.ns, '198.19.1.2', 8080), 'pod 198.19.2.2 198.19.1.2');
      assert.equal(await ask(pod, '198.19.2.2', 8080), 'other 198.19.1.2 198.19.2.2');
      assert.equal(await ask(pod, n1.address, 9090), `node 198.19.1.2 ${n1.address}`);
    });

    it('gives the address back', async () => {
      await plugin('DEL');
      assert.doesNotMatch(await lab.nodes[0].ns.sh('ip', 'route', 'show'), /198\.19\.1\.2 /);
    });

    /** As earlier versions had it made for a pod of this network, and as another runtime does for one of its own. */
    const portmap = async (network: string, id: string, hostPort: number): Promise<void> => {
      const [n1] = lab.nodes;
      const env = [
        'CNI_COMMAND=ADD',
        `CNI_CONTAINERID=${id}`,
        `CNI_NETNS=/run/netns/${pod.name}`,
        'CNI_IFNAME=eth0',
        `CNI_PATH=${PLUGINS ?? ''}`,
      ];
      const { code, stdout } = await createRunCommand({ prefix: [...n1.ns.enter, 'env', ...env] })(
        [join(PLUGINS ?? '', 'portmap')],
        {
          signal: new AbortController().signal,
          input: JSON.stringify({
            cniVersion: '0.4.0',
            name: network,
            type: 'portmap',
            snat: true,
            runtimeConfig: {
              portMappings: [
                { hostPort, containerPort: 80, protocol: 'tcp' },
                { hostPort, containerPort: 80, protocol: 'udp' },
              ],
            },
            prevResult: {
              cniVersion: '0.4.0',
              interfaces: [{ name: 'v2' }, { name: 'eth0', sandbox: `/run/netns/${pod.name}` }],
              ips: [{ version: '4', interface: 1, address: '198.19.1.66/24', gateway: '198.19.1.1' }],
            },
          }),
        },
      );
      assert.equal(code, 0, stdout);
    };

    it(
      'takes out what portmap left for our pods, and leaves that of other networks',
      { skip: existsSync('/usr/sbin/iptables-save') ? false : 'needs iptables' },
      async () => {
        const [n1] = lab.nodes;
        await portmap('plumbline', 'old', 8080);
        await portmap('other', 'theirs', 9090);
        const nat = (): Promise<string> => n1.ns.sh('iptables-save', '-t', 'nat');
        assert.match(await nat(), /--dports 8080 -j CNI-DN/);
        const conflist = JSON.parse(await readFile(n1.cniPath, 'utf8')) as { plugins: object[] };
        await writeFile(
          n1.cniPath,
          JSON.stringify(
            {
              ...conflist,
              plugins: [...conflist.plugins, { type: 'portmap', capabilities: { portMappings: true }, snat: true }],
            },
            null,
            2,
          ),
        );
        n1.assignment.set(node('n3', '198.18.0.3', '198.19.3.0/24'));
        await n1.sync.synced();
        assert.deepEqual(
          (await readCni(n1.cniPath)).plugins.map((plugin) => plugin.type),
          ['ptp'],
        );
        assert.doesNotMatch(await nat(), /8080/);
        assert.equal((await nat()).match(/^:CNI-DN-/gm)?.length, 1);
        assert.equal((await nat()).match(/--dports 9090 -j CNI-DN/g)?.length, 2);
      },
    );
  },
);
