/** `plumb node ls`. */
import type { StatusReport } from '../../reconciler/api/types.ts';
import { controlPlane } from '../control-plane.ts';
import { printData } from '../print/format.ts';
import { print, progress } from '../print/terminal.ts';
import { table } from '../print/table.ts';

export async function nodeList(options: { readonly home?: string; readonly output?: string }): Promise<void> {
  const { nodes } = await controlPlane(options.home).get<StatusReport>('/plumbline/v1/status');
  if (await printData(nodes, options.output)) return;
  if (nodes.length === 0) {
    progress('No machines yet: add one with `plumb node add USER@HOST`.');
    return;
  }
  await print(
    `${table(
      ['NAME', 'ADDRESS', 'READY', 'PODS', 'WHY'],
      nodes.map((n) => [
        n.name,
        n.address,
        n.ready + (n.unschedulable ? ',cordoned' : ''),
        String(n.pods),
        n.ready === 'True' ? (n.drain ?? '') : `${n.reason}: ${n.message}`,
      ]),
    )}\n`,
  );
}
