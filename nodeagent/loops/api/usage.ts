/** `GET /v1/usage`. Measures when it is asked: a node of which nobody wants to know spends nothing on it. */
import type { ServerResponse } from 'node:http';
import { joinSignals } from '../../../contracts/signals.ts';
import { usageReport } from '../../core/node/usage-report.ts';
import type { ObservedPod } from '../../core/pod/observed.ts';
import type { Clock } from '../../ports/clock.ts';
import type { UsageMeter } from '../../ports/usage.ts';
import { sendJson } from './answers.ts';

export interface UsageDeps {
  readonly meter: UsageMeter;
  readonly clock: Clock;
  readonly agentStartedAt: string;
  readonly observed: (podUid: string) => ObservedPod | undefined;
}

export async function sendUsage(response: ServerResponse, deps: UsageDeps, closing: AbortSignal): Promise<void> {
  const { meter, clock, agentStartedAt, observed } = deps;
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  using over = joinSignals(gone.signal, closing);
  const containers = await meter.containers(over.signal);
  const machine = await meter.machine();
  const [now, monotonic] = [clock.now().getTime(), clock.monotonic()];
  sendJson(response, 200, usageReport({ agentStartedAt, machine, containers, observed, now, monotonic }));
}
