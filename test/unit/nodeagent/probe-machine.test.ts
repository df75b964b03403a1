import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { Container } from '../../../contracts/objects/index.ts';
import {
  afterProbe,
  beginProbes,
  nextProbe,
  runningFor,
  type ContainerProbes,
  type ProbeKind,
} from '../../../nodeagent/core/probe/machine.ts';
import { probeTarget } from '../../../nodeagent/core/probe/target.ts';
import { NOW, pod } from './pods.ts';

function containerWith(probes: Record<string, unknown>): Container {
  const [one] = pod({
    containers: [{ name: 'main', image: 'app:1', ports: [{ name: 'http', containerPort: 8080 }], ...probes }],
  }).spec.containers;
  assert.ok(one);
  return one;
}
const tcp = { tcpSocket: { port: 80 } };
const KINDS = ['startup', 'liveness', 'readiness'] as const;
/** The probe that is due first. */
function firstDue(
  container: Container,
  state: ContainerProbes,
): { readonly kind: ProbeKind; readonly at: number } | undefined {
  const due = KINDS.flatMap((kind) => {
    const next = nextProbe(container, state, kind);
    return next ? [{ kind, at: next.at }] : [];
  });
  return due.reduce<(typeof due)[number] | undefined>(
    (first, one) => (!first || one.at < first.at ? one : first),
    undefined,
  );
}
/** Feeds outcomes (`s`, `f`, `?`) to whichever probe is due; shows ready, started, kill after each. */
function feed(
  container: Container,
  state: ContainerProbes,
  outcomes: string,
): { states: string; kinds: ProbeKind[]; state: ContainerProbes; at: number[] } {
  const kinds: ProbeKind[] = [];
  const at: number[] = [];
  let states = '';
  let current = state;
  for (const letter of outcomes) {
    const next = firstDue(container, current);
    assert.ok(next);
    kinds.push(next.kind);
    at.push((next.at - NOW) / 1000);
    const outcome = letter === 's' ? 'success' : letter === 'f' ? 'failure' : 'unknown';
    current = afterProbe(container, current, { kind: next.kind, outcome, message: '' }, next.at);
    states += current.kill ? 'K' : !current.started ? '-' : current.ready ? 'R' : 'U';
  }
  return { states, kinds, state: current, at };
}

describe('probes of a container', () => {
  const rows = [
    {
      name: 'readiness begins as failed and needs its successes in a row',
      probes: { readinessProbe: { ...tcp, successThreshold: 2 } },
      outcomes: 'sfss',
      states: 'UUUR',
    },
    {
      name: 'readiness ends after its failures in a row',
      probes: { readinessProbe: { ...tcp, failureThreshold: 2 } },
      outcomes: 'sfsffs',
      states: 'RRRRUR',
    },
    {
      name: 'what could not be asked counts for nothing',
      probes: { readinessProbe: { ...tcp, failureThreshold: 2 } },
      outcomes: 'sf?f',
      states: 'RRRU',
    },
    {
      name: 'liveness kills after its failures in a row',
      probes: { livenessProbe: { ...tcp, failureThreshold: 3 } },
      outcomes: 'ffsfff',
      states: 'RRRRRK',
    },
    {
      name: 'a startup probe that passes lets the others begin',
      probes: { startupProbe: { ...tcp, failureThreshold: 5 }, readinessProbe: tcp },
      outcomes: 'ffss',
      states: '--UR',
    },
    {
      name: 'a startup probe that fails too often kills',
      probes: { startupProbe: { ...tcp, failureThreshold: 2 }, livenessProbe: tcp },
      outcomes: 'ff',
      states: '-K',
    },
  ];
  for (const { name, probes, outcomes, states } of rows) {
    it(name, () => {
      const container = containerWith(probes);
      assert.equal(feed(container, beginProbes(container, 0, undefined, NOW, 0), outcomes).states, states);
    });
  }

  it('waits for the initial delay, then keeps the period', () => {
    const container = containerWith({ readinessProbe: { ...tcp, initialDelaySeconds: 5, periodSeconds: 3 } });
    assert.deepEqual(feed(container, beginProbes(container, 0, undefined, NOW, 0), 'ssf').at, [5, 8, 11]);
  });

  it('counts the initial delay from the start of a container that is found later', () => {
    const container = containerWith({ readinessProbe: { ...tcp, initialDelaySeconds: 5 } });
    assert.equal(firstDue(container, beginProbes(container, 2000, undefined, NOW, 0))?.at, NOW + 3000);
  });

  for (const [what, startedAt, unseenFor, age] of [
    ['what the wall says', NOW - 3000, 10_000, 3000],
    ['what the wall says, where nobody looked before', NOW - 3_600_000, undefined, 3_600_000],
    ['no longer than it was not seen, when the wall was set forward', NOW - 3_603_000, 4000, 4000],
    ['nothing, when the wall was set back', NOW + 3_600_000, 4000, 0],
  ] as const) {
    it(`takes a container to have run for ${what}`, () => assert.equal(runningFor(startedAt, NOW, unseenFor), age));
  }

  it('keeps what was known of a container that is adopted, and spreads the first probes', () => {
    const container = containerWith({ readinessProbe: { ...tcp, periodSeconds: 10 } });
    const state = beginProbes(container, 100_000, { started: true, ready: true }, NOW, 0.5);
    assert.equal(state.ready, true);
    assert.equal(firstDue(container, state)?.at, NOW + 5000);
  });

  it('makes no further probe of a container that is to be killed', () => {
    const container = containerWith({
      livenessProbe: { ...tcp, failureThreshold: 1, terminationGracePeriodSeconds: 4 },
    });
    const { state } = feed(container, beginProbes(container, 0, undefined, NOW, 0), 'f');
    assert.equal(firstDue(container, state), undefined);
    assert.equal(state.kill?.graceSeconds, 4);
  });
});

describe('probeTarget', () => {
  const container = containerWith({});
  it('resolves names of ports', () => {
    assert.deepEqual(
      probeTarget({ httpGet: { path: 'x', port: 'http', scheme: 'HTTPS' } }, container, 'id', '198.18.0.9'),
      { kind: 'http', scheme: 'https', host: '198.18.0.9', port: 8080, path: '/x', headers: [] },
    );
    assert.equal(probeTarget({ tcpSocket: { port: 'none' } }, container, 'id', '198.18.0.9'), undefined);
    assert.deepEqual(probeTarget({ grpc: { port: 1, service: 's' } }, container, 'id', '198.18.0.9'), {
      kind: 'grpc',
      host: '198.18.0.9',
      port: 1,
      service: 's',
    });
    assert.deepEqual(probeTarget({ exec: { command: ['a'] } }, container, 'id', ''), {
      kind: 'exec',
      containerId: 'id',
      command: ['a'],
    });
  });
});
