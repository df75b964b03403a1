/**
 * The control plane of the benchmark, a process of its own: everything of it is real but SSH. Told by its parent:
 * `control-plane.ts HOME REPOSITORY SOCKETS`; answers each message with what it measured of its event loop since the last one.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { startControlPlane } from '../../reconciler/main.ts';
import { PAYLOADS } from './payloads.ts';
import { ChannelTransport } from './transport.ts';

export interface LoopDelay {
  readonly p99Ms: number;
  readonly maxMs: number;
}

const RESOLUTION_MS = 5;
const [home, repo, sockets] = process.argv.slice(2);
if (home === undefined || repo === undefined || sockets === undefined || !process.send)
  throw new Error('run by bench/scale.ts');

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
const controlPlane = await startControlPlane({
  home,
  repo,
  branch: 'main',
  sourceName: 'scale',
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
process.on('message', () => {
  const told: LoopDelay = { p99Ms: delay.percentile(99) / 1e6 - RESOLUTION_MS, maxMs: delay.max / 1e6 - RESOLUTION_MS };
  delay.reset();
  process.send?.(told);
});
process.once('disconnect', () => {
  closing = true;
  void controlPlane.close().then(() => process.exit(0));
});
