/** The end of a test that made volumes: its files go, and with them the data. */
import assert from 'node:assert/strict';
import { eventually, type Fleet } from '../fleet.ts';

/** Of all volumes that there are: tests of one fleet follow each other. No node has anything left of them afterwards. */
export async function giveUpVolumes(fleet: Fleet, ...files: readonly string[]): Promise<void> {
  const settings = await fleet.git(['show', 'HEAD:plumbline.yaml']);
  const volumes = (await fleet.list('PersistentVolume')).map(({ metadata }) => metadata.name);
  const meant = `  storage: {givenUpVolumes: [${volumes.join()}]}\n`;
  await fleet.write('plumbline.yaml', `${settings.stdout.trimEnd()}\n${meant}`);
  await fleet.removeFiles(...files);
  await eventually('no volume is left', 60, async () => (await fleet.list('PersistentVolume')).length === 0);
  for (const { name } of fleet.lab.nodes) {
    const folder = '/var/lib/plumbline/volumes';
    assert.equal((await fleet.on(name, ['find', folder, '-mindepth', '1'])).stdout, '');
    const { stdout } = await fleet.on(name, ['losetup', '--list', '--noheadings', '--output', 'BACK-FILE']);
    assert.ok(!volumes.some((volume) => stdout.includes(volume)), stdout);
  }
  await fleet.write('plumbline.yaml', settings.stdout);
  await fleet.commitAndPush('Settings as before');
}
