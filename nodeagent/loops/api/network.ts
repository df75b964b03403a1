/** `GET /v1/network` and `POST /v1/network/probes`: what this node's network is, and what answers it. Nothing is changed. */
import type { ServerResponse } from 'node:http';
import { NETWORK_LIMITS } from '../../../contracts/agent/network-limits.ts';
import type { NetworkProbe, NetworkProbeResult } from '../../../contracts/agent/index.ts';
import { errorText } from '../../../contracts/errors.ts';
import { joinSignals } from '../../../contracts/signals.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
import type { AssignmentSource, NetworkState } from '../../core/assignment.ts';
import type { LocalPods } from '../../core/local-pods.ts';
import { networkReport } from '../../core/node/network-report.ts';
import { readProbes } from '../../core/wire/network-probes.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ContainerRuntime } from '../../ports/container-runtime.ts';
import type { Reach, ReachWithin } from '../../ports/reach.ts';
import { createProbing } from '../probing.ts';
import { ApiError, sendJson } from './answers.ts';

export interface NetworkAccess {
  readonly pods: LocalPods;
  readonly reach: Reach;
  readonly reachWithin: ReachWithin;
  readonly state: () => NetworkState;
  /** Addresses of load balancers that this machine has. */
  readonly held: () => readonly string[];
}

interface NetworkDeps {
  readonly assignment: Pick<AssignmentSource, 'current'>;
  readonly runtime: Pick<ContainerRuntime, 'listSandboxes' | 'sandboxNetwork'>;
  /** Absent where the agent keeps no network. */
  readonly network?: NetworkAccess | undefined;
  readonly clock: Clock;
}

export function createNetworkApi({ assignment, runtime, network, clock }: NetworkDeps): {
  report(response: ServerResponse, query: URLSearchParams): void;
  probe(response: ServerResponse, body: string, closing: AbortSignal): Promise<void>;
} {
  const probing = network && createProbing(network.reach, clock);

  const access = (): NetworkAccess => {
    if (!network) throw new ApiError(404, 'NotFound', 'this agent keeps no network');
    return network;
  };

  /** In the network of a pod of this node. */
  const triedWithin = async (
    pod: string,
    probes: readonly NetworkProbe[],
    signal: AbortSignal,
  ): Promise<readonly NetworkProbeResult[]> => {
    try {
      const sandboxes = (await runtime.listSandboxes(pod, signal)).filter(({ ready }) => ready);
      const [newest] = sandboxes.toSorted((a, b) => b.createdAt - a.createdAt);
      const namespace = newest && (await runtime.sandboxNetwork(newest.id, signal));
      if (namespace === undefined) throw new Error('the pod has no network of its own on this node');
      return await access().reachWithin(namespace, probes, signal);
    } catch (error) {
      signal.throwIfAborted();
      const message = errorText(error).slice(0, NETWORK_LIMITS.text);
      return probes.map(() => ({ outcome: 'failed', ms: 0, message }));
    }
  };

  return {
    report(response, query) {
      const { pods, state, held } = access();
      const [namespace, name] = (query.get('service') ?? '').split('/', 2);
      sendJson(
        response,
        200,
        networkReport({
          view: assignment.current(),
          pods,
          state: state(),
          held: held(),
          ...(name !== undefined && name !== '' && { service: objectKey('Service', namespace, name) }),
        }),
      );
    },

    async probe(response, body, closing) {
      access();
      const probes = parseProbes(body);
      const byPlace = new Map<string | undefined, NetworkProbe[]>();
      for (const probe of probes) byPlace.set(probe.pod, [...(byPlace.get(probe.pod) ?? []), probe]);
      if (byPlace.size > NETWORK_LIMITS.pods + 1) throw bad(`of more than ${NETWORK_LIMITS.pods} pods`);
      const gone = new AbortController();
      response.on('close', () => gone.abort());
      using over = joinSignals(gone.signal, closing);
      const found = new Map<NetworkProbe, NetworkProbeResult>();
      await Promise.all(
        [...byPlace].map(async ([pod, some]) => {
          const results =
            pod === undefined ? await probing?.(some, over.signal) : await triedWithin(pod, some, over.signal);
          for (const [i, probe] of some.entries()) {
            const result = results?.[i];
            if (result) found.set(probe, result);
          }
        }),
      );
      sendJson(response, 200, { results: probes.flatMap((probe) => found.get(probe) ?? []) });
    },
  };
}

function parseProbes(text: string): readonly NetworkProbe[] {
  try {
    return readProbes(text);
  } catch (error) {
    if (error instanceof RangeError) throw bad(error.message);
    throw error;
  }
}

function bad(what: string): ApiError {
  return new ApiError(400, 'BadRequest', `the probes cannot be read: ${what}`);
}
