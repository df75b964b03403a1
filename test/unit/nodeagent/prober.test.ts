import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import type { ProbeTarget } from '../../../nodeagent/core/probe/target.ts';
import { createProber, type ProbedContainer, type Prober } from '../../../nodeagent/loops/prober.ts';
import type { Clock } from '../../../nodeagent/ports/clock.ts';
import type { ProbeAnswer } from '../../../nodeagent/ports/probe-runner.ts';
import { pod } from './pods.ts';

const POD = { namespace: 'default', name: 'app', uid: 'uid-1' };
const HOUR_MS = 3_600_000;
/** Ports tell the kinds apart. */
const PORT = { startup: 1, liveness: 2, readiness: 3 } as const;

/** A clock that goes when it is told to, and a wall that can be set without it. */
function manualClock(): Clock & { advance(ms: number): Promise<void>; setWall(ms: number): void } {
  let time = 0;
  let wall = Date.parse('2026-01-01T12:00:00Z');
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  return {
    now: () => new Date(wall),
    monotonic: () => time,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { at: time + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener(
          'abort',
          () => {
            sleepers.delete(sleeper);
            reject(signal.reason as Error);
          },
          { once: true },
        );
      }),
    deadline: () => assert.fail('not used'),
    setWall(ms) {
      wall += ms;
    },
    async advance(ms) {
      for (const end = time + ms; ;) {
        await turn();
        const next = [...sleepers].filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
        const to = next?.at ?? end;
        wall += to - time;
        time = to;
        if (!next) return;
        sleepers.delete(next);
        next.wake();
      }
    },
  };
}

interface Rig {
  readonly clock: ReturnType<typeof manualClock>;
  readonly prober: Prober;
  /** When which kind was asked, in seconds. */
  readonly asked: string[];
  readonly container: ProbedContainer;
  readonly follow: (...running: ProbedContainer[]) => void;
}

function rig(
  probes: Record<string, unknown>,
  answer: (kind: string, signal: AbortSignal) => Promise<ProbeAnswer>,
): Rig {
  const clock = manualClock();
  const asked: string[] = [];
  const [spec] = pod({ containers: [{ name: 'main', image: 'app:1', ...probes }] }).spec.containers;
  assert.ok(spec);
  const kindOf = (target: ProbeTarget): string =>
    Object.entries(PORT).find(([, port]) => 'port' in target && port === target.port)?.[0] ?? assert.fail();
  const prober = createProber({
    clock,
    random: () => 0,
    onChange: () => undefined,
    onEvent: () => undefined,
    runner: {
      run(target, _seconds, signal) {
        asked.push(`${kindOf(target)}@${clock.monotonic() / 1000}`);
        return answer(kindOf(target), signal);
      },
    },
  });
  return {
    clock,
    prober,
    asked,
    container: { spec, id: 'c', startedAt: clock.now().getTime() },
    follow: (...running) => prober.follow(POD, '198.18.0.9', running, undefined),
  };
}

const never = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('given up')), { once: true });
  });
const probe = (kind: keyof typeof PORT, more: Record<string, unknown> = {}) => ({
  [`${kind}Probe`]: { tcpSocket: { port: PORT[kind] }, periodSeconds: 10, ...more },
});
const success = async (): Promise<ProbeAnswer> => ({ outcome: 'success', message: '' });
const failure = async (): Promise<ProbeAnswer> => ({ outcome: 'failure', message: '' });

describe('prober', () => {
  it('lets a probe that hangs hold up no other', async () => {
    const { clock, prober, asked, container, follow } = rig(
      { ...probe('liveness', { failureThreshold: 3 }), ...probe('readiness') },
      (kind, signal) => (kind === 'readiness' ? never(signal) : failure()),
    );
    follow(container);
    await clock.advance(19_000);
    assert.equal(prober.verdicts(POD.uid).get('c')?.kill, undefined);
    await clock.advance(2000);
    assert.equal(
      prober.verdicts(POD.uid).get('c')?.kill?.message,
      'Container main failed liveness probe, will be restarted',
    );
    assert.deepEqual(asked, ['liveness@0', 'readiness@0', 'liveness@10', 'liveness@20']);
    await prober.close();
  });

  it('asks no more of a container that is to be killed', async () => {
    const { clock, prober, asked, container, follow } = rig(
      { ...probe('liveness', { failureThreshold: 1 }), ...probe('readiness', { initialDelaySeconds: 5 }) },
      failure,
    );
    follow(container);
    await clock.advance(60_000);
    assert.deepEqual(asked, ['liveness@0']);
    await prober.close();
  });

  it('begins the others when the startup probe has passed', async () => {
    let answers = 0;
    const { clock, prober, asked, container, follow } = rig(
      { ...probe('startup', { failureThreshold: 9 }), ...probe('liveness'), ...probe('readiness') },
      (kind) => (kind === 'startup' && (answers += 1) < 3 ? failure() : success()),
    );
    follow(container);
    await clock.advance(25_000);
    assert.deepEqual(asked, ['startup@0', 'startup@10', 'startup@20', 'liveness@20', 'readiness@20']);
    await prober.close();
  });

  for (const [what, step] of [
    ['forward', HOUR_MS],
    ['back', -HOUR_MS],
  ] as const) {
    it(`keeps its beat when the wall's clock is set ${what} an hour`, async () => {
      const { clock, prober, asked, container, follow } = rig(probe('readiness'), success);
      follow(container);
      await clock.advance(10_000);
      clock.setWall(step);
      await clock.advance(20_000);
      assert.deepEqual(asked, ['readiness@0', 'readiness@10', 'readiness@20', 'readiness@30']);
      await prober.close();
    });

    it(`waits for the initial delay when the wall's clock is set ${what} an hour after the start`, async () => {
      const { clock, prober, asked, container, follow } = rig(probe('liveness', { initialDelaySeconds: 30 }), success);
      follow();
      await clock.advance(1000);
      const startedAt = clock.now().getTime();
      clock.setWall(step);
      await clock.advance(1000);
      follow({ ...container, startedAt });
      await clock.advance(60_000);
      const [first] = asked.map((one) => Number(one.split('@')[1]));
      assert.ok(first !== undefined && first >= 30 && first <= 32, `first asked at ${first}`);
      await prober.close();
    });
  }
});
