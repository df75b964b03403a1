import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { upstreams } from '../../../nodeagent/core/dns/upstreams.ts';

const host = (etc: string | undefined): { etc: string | undefined; behindStub: undefined } => ({
  etc,
  behindStub: undefined,
});
const machine = host('nameserver 127.0.0.53\nnameserver 169.254.20.10\nnameserver 2001:db8::1\nnameserver 192.0.2.1\n');

describe('who is asked for names of others', () => {
  for (const [title, dns, of, name, wanted] of [
    [
      "is the machine's resolver, its loopback too, never this server",
      undefined,
      machine,
      'example.com',
      ['127.0.0.53:53', '192.0.2.1:53'],
    ],
    ['is nobody on a machine without a resolver', undefined, host(undefined), 'example.com', []],
    [
      'is who the Cluster names',
      { servers: ['192.0.2.7:5353', '192.0.2.8'] },
      machine,
      'example.com',
      ['192.0.2.7:5353', '192.0.2.8:53'],
    ],
    [
      'is who knows the domain, the longest first',
      {
        stubDomains: [
          { domain: 'corp', servers: ['192.0.2.2'] },
          { domain: 'lab.corp', servers: ['192.0.2.3'] },
        ],
      },
      machine,
      'a.lab.corp',
      ['192.0.2.3:53'],
    ],
    [
      'is not who knows the end of a word',
      { stubDomains: [{ domain: 'corp', servers: ['192.0.2.2'] }] },
      machine,
      'x.mycorp',
      ['127.0.0.53:53', '192.0.2.1:53'],
    ],
  ] as const)
    it(title, () => {
      const servers = upstreams(dns as Parameters<typeof upstreams>[0], of).for(name);
      assert.deepEqual(
        servers.map(({ address, port }) => `${address}:${port}`),
        wanted,
      );
    });
});
