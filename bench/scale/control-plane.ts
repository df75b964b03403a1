/**
 * The control plane of the benchmark, a process of its own: everything of it is real but SSH. Told by its parent:
 * `control-plane.ts HOME REPOSITORY SOCKETS [FILE]`; answers each message with what it measured of its event loop since the
 * last one, or with the memory that it holds. Into FILE it writes at its end when the event loop's rounds were long, to look them up in a CPU profile.
 */
import { writeFile } from 'node:fs/promises';
import { startControlPlane } from '../../reconciler/main.ts';
import { LoopWatch } from './loop-watch.ts';
import { CLUSTER_NAME } from './names.ts';
import { PAYLOADS } from './payloads.ts';
import { ChannelTransport } from './transport.ts';

const [home, repo, sockets, longRounds] = process.argv.slice(2);
if (home === undefined || repo === undefined || sockets === undefined || !process.send)
  throw new Error('run by bench/scale.ts');

/** What is left after a collection: what is resident is, for the most part, what nobody collected yet. */
function heldMb(): number {
  global.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
}

const watch = new LoopWatch();
const controlPlane = await startControlPlane({
  home,
  repo,
  branch: 'main',
  sourceName: CLUSTER_NAME,
  version: 'bench',
  transport: new ChannelTransport(sockets),
  payloads: PAYLOADS,
  progress: (line) => process.stderr.write(`control plane: ${line}\n`),
  signal: new AbortController().signal,
});
process.send({ ready: true });
let closing = false;
void controlPlane.failed.then((error) => {
  if (closing) return;
  process.stderr.write(`control plane: failed: ${error.message}\n`);
  process.exit(1);
});
process.on('message', (asked: { readonly holds?: boolean }) => {
  process.send?.(asked.holds ? heldMb() : watch.take());
});
process.once('disconnect', () => {
  closing = true;
  void controlPlane
    .close()
    .then(() => (longRounds === undefined ? undefined : writeFile(longRounds, JSON.stringify(watch.rounds))))
    .then(() => process.exit(0));
});
