/** `GET /v1/network` and `POST /v1/network/probes`: what this node's network is, and what answers it. Nothing is changed. */
import type { ServerResponse } from 'node:http';
import { NETWORK_LIMITS } from '../../../contracts/agent/network-limits.ts';
import type { NetworkProbe, NetworkProbeResult } from '../../../contracts/agent/index.ts';
import { joinSignals } from '../../../contracts/signals.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
import { isRecord } from '../../core/assigned-object.ts';
import type { AssignmentSource, NetworkState } from '../../core/assignment.ts';
import type { LocalPods } from '../../core/local-pods.ts';
import { networkReport } from '../../core/node/network-report.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Reach } from '../../ports/reach.ts';
import { createLimiter } from '../limiter.ts';
import { ApiError, sendJson } from './answers.ts';

export interface NetworkAccess {
  readonly pods: LocalPods;
  readonly reach: Reach;
  readonly state: () => NetworkState;
  /** Addresses of load balancers that this machine has. */
  readonly held: () => readonly string[];
}

interface NetworkDeps {
  readonly assignment: Pick<AssignmentSource, 'current'>;
  /** Absent where the agent keeps no network. */
  readonly network?: NetworkAccess | undefined;
  readonly clock: Clock;
}

/** Milliseconds of one probe: a packet that is sent again after a second is waited for. */
const PROBE_MS = 2500;
/** Of all requests. */
const AT_ONCE = 32;

export function createNetworkApi({ assignment, network, clock }: NetworkDeps): {
  report(response: ServerResponse, query: URLSearchParams): void;
  probe(response: ServerResponse, body: string, closing: AbortSignal): Promise<void>;
} {
  const limiter = createLimiter(AT_ONCE);

  const access = (): NetworkAccess => {
    if (!network) throw new ApiError(404, 'NotFound', 'this agent keeps no network');
    return network;
  };

  const tried = async (probe: NetworkProbe, signal: AbortSignal): Promise<NetworkProbeResult> => {
    const { reach } = access();
    const since = clock.monotonic();
    using time = clock.deadline(PROBE_MS, signal);
    const found =
      probe.ask === 'resolve' ? await reach.resolve(probe.name, time.signal) : await reach.connect(probe, time.signal);
    return { ...found, ms: Math.max(0, clock.monotonic() - since) };
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
      const gone = new AbortController();
      response.on('close', () => gone.abort());
      using over = joinSignals(gone.signal, closing);
      const results = await Promise.all(probes.map((probe) => limiter.run(() => tried(probe, over.signal))));
      sendJson(response, 200, { results });
    },
  };
}

function parseProbes(text: string): readonly NetworkProbe[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw bad('the body is no JSON');
  }
  if (!isRecord(body) || !Array.isArray(body['probes'])) throw bad('probes is no list');
  if (body['probes'].length > NETWORK_LIMITS.probes) throw bad(`more than ${NETWORK_LIMITS.probes} probes`);
  return body['probes'].map(parseProbe);
}

function parseProbe(probe: unknown): NetworkProbe {
  if (!isRecord(probe)) throw bad('a probe is no object');
  const { ask, name, address, port } = probe;
  if (ask === 'resolve' && typeof name === 'string') return { ask, name };
  if (ask === 'connect' && typeof address === 'string' && typeof port === 'number') return { ask, address, port };
  throw bad('a probe of a kind that this agent does not know');
}

function bad(what: string): ApiError {
  return new ApiError(400, 'BadRequest', `the probes cannot be read: ${what}`);
}
