/** Where the transactions of the kernel's packet filter lie while they are written. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { createNftPacketFilter } from '../../../nodeagent/adapters/nft/nft-packet-filter.ts';
import { makeFolder } from '../../support/folder.ts';
import { planRandom } from './random-cluster.ts';
import { cluster, node } from './world.ts';

describe('a transaction of nft', () => {
  for (const code of [0, 1]) {
    it(`is in the folder that was given alone, over what a killed agent left, and goes when nft ended with ${code}`, async () => {
      const folder = makeFolder('pnet-');
      try {
        const files: string[] = [];
        const filter = createNftPacketFilter({
          folder,
          run(argv) {
            const file = argv[2] ?? '';
            assert.match(readFileSync(file, 'utf8'), /plumbline/);
            files.push(file);
            return Promise.resolve({ code, stdout: '', stderr: code === 0 ? '' : 'Error: no' });
          },
          follow: () => assert.fail('nothing is followed'),
        });
        const replace = () => {
          const plan = planRandom([cluster(), node('n1', '198.18.0.1', '198.19.1.0/24')]);
          return filter.replace(plan, '1', new AbortController().signal);
        };
        const tried = () => (code === 0 ? replace() : assert.rejects(replace()));
        await tried();
        const [file = ''] = files;
        assert.equal(dirname(file), folder);
        assert.deepEqual(readdirSync(folder), []);
        writeFileSync(file, 'cut off');
        await tried();
        assert.deepEqual(files, [file, file]);
        assert.deepEqual(readdirSync(folder), []);
      } finally {
        await removeFolder(folder);
      }
    });
  }
});
