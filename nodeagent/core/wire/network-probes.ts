/** Probes and their results as text, read by hand: a validator would cost the agent a fifth of its memory. RangeError for what is neither. */
import type { NetworkProbe, NetworkProbeResult } from '../../../contracts/agent/index.ts';
import { NETWORK_LIMITS } from '../../../contracts/agent/network-limits.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { isRecord } from '../assigned-object.ts';

const OUTCOMES = ['answered', 'refused', 'silent', 'failed'] as const;

export function readProbes(text: string): readonly NetworkProbe[] {
  return listIn(text, 'probes').map(readProbe);
}

export function readProbeResults(text: string): readonly NetworkProbeResult[] {
  return listIn(text, 'results').map(readResult);
}

function listIn(text: string, name: string): readonly unknown[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new RangeError('it is no JSON');
  }
  const list: unknown = isRecord(body) ? readKey(body, name) : undefined;
  if (!Array.isArray(list)) throw new RangeError(`${name} is no list`);
  if (list.length > NETWORK_LIMITS.probes) throw new RangeError(`more than ${NETWORK_LIMITS.probes} ${name}`);
  return list;
}

function readProbe(probe: unknown): NetworkProbe {
  if (!isRecord(probe)) throw new RangeError('a probe is no object');
  const { ask, name, address, port, pod } = probe;
  if (pod !== undefined && typeof pod !== 'string') throw new RangeError('a pod is no text');
  const within = pod === undefined ? {} : { pod };
  if (ask === 'resolve' && typeof name === 'string') return { ask, name, ...within };
  if (ask === 'connect' && typeof address === 'string' && typeof port === 'number')
    return { ask, address, port, ...within };
  throw new RangeError('a probe of a kind that this agent does not know');
}

function readResult(result: unknown): NetworkProbeResult {
  if (!isRecord(result)) throw new RangeError('a result is no object');
  const { ms, addresses, message } = result;
  const outcome = OUTCOMES.find((one) => one === result['outcome']);
  if (outcome === undefined || typeof ms !== 'number') throw new RangeError('a result says nothing');
  return {
    outcome,
    ms,
    ...(Array.isArray(addresses) && { addresses: addresses.map(String) }),
    ...(typeof message === 'string' && { message }),
  };
}
