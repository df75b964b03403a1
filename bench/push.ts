/**
 * `npm run bench:push`: from `git push` to 40 pods Running on a lab of three hosts, against the raw CRI loop that
 * starts the same 40 pods on the same hosts in the same run (the floor: sandbox, create, start; eight at a time; no
 * scheduler, no network rules, no reports).
 */
import { cpus } from 'node:os';
import { eventually, Fleet } from '../test/e2e/fleet.ts';
import { commandLine } from '../test/support/command-line.ts';
import { inFlight, RawHost, type RawPod } from './raw-cri.ts';

const PODS = 40;
const IN_FLIGHT = 8;
const IMAGE = 'registry.lab/busybox:1';
const SAMPLE_MS = 20;
const { rounds: ROUNDS } = commandLine('bench:push', {
  rounds: { takes: 'number', default: 5, least: 1, says: 'pushes, whose median is shown' },
});

function deployment(name: string, replicas: number): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: ${IMAGE}
          command: [sleep, '3600']
`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Milliseconds that the raw loop needs for all pods; stops and removes them afterwards, which is not counted. */
async function rawLoop(fleet: Fleet): Promise<number> {
  const hosts = await RawHost.all(fleet, 120);
  const pods: { readonly host: RawHost; readonly pod: RawPod }[] = [];
  const turns = Array.from({ length: PODS }, (_, i) => hosts[i % hosts.length]).filter((host) => host !== undefined);
  const started = performance.now();
  await inFlight(IN_FLIGHT, turns, async (host) => {
    pods.push({ host, pod: await host.start(IMAGE, ['sleep', '3600']) });
  });
  const took = performance.now() - started;
  await inFlight(IN_FLIGHT, pods, ({ host, pod }) => host.remove(pod));
  await Promise.all(hosts.map((host) => host.close()));
  return took;
}

/** Moments of one push, in milliseconds since `git push` was started. */
interface Timeline {
  readonly pushed: number;
  readonly firstAction: number;
  readonly created: number;
  readonly bound: number;
  readonly firstRunning: number;
  readonly running: number;
}

async function pushRound(fleet: Fleet, round: number): Promise<Timeline> {
  const name = `bench-${round}`;
  await fleet.write('apps/bench.yaml', deployment(name, PODS));
  await fleet.commit(`Run ${name}`);
  const seen: Partial<Record<'firstAction' | 'created' | 'bound' | 'firstRunning', number>> = {};
  const started = performance.now();
  const at = (): number => performance.now() - started;
  const running = (async (): Promise<number> => {
    const deadline = started + 120_000;
    for (;;) {
      const pods = await fleet.pods(name);
      if (pods.length > 0) seen.firstAction ??= at();
      if (pods.length === PODS) seen.created ??= at();
      if (pods.filter((p) => p.spec.nodeName).length === PODS) seen.bound ??= at();
      const up = pods.filter((p) => p.status?.phase === 'Running').length;
      if (up > 0) seen.firstRunning ??= at();
      if (up === PODS) return at();
      if (performance.now() > deadline) throw new Error(`only ${up} of ${PODS} pods Running after two minutes`);
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
  })();
  const result = await fleet.push();
  const pushed = at();
  if (result.code !== 0) throw new Error(result.stderr);
  const all = await running;
  await fleet.removeFiles('apps/bench.yaml');
  await eventually('the pods are gone', 120, async () => (await fleet.pods(name)).length === 0);
  return {
    pushed,
    firstAction: seen.firstAction ?? all,
    created: seen.created ?? all,
    bound: seen.bound ?? all,
    firstRunning: seen.firstRunning ?? all,
    running: all,
  };
}

async function main(): Promise<void> {
  const fleet = await Fleet.start({
    name: 'bench',
    subnet: '198.18.18.0/24',
    podCIDR: '198.18.64.0/19',
    serviceCIDR: '198.19.192.0/18',
    nodes: 3,
  });
  try {
    // Warm: images on every host, every path once.
    await pushRound(fleet, 0);
    const raw: number[] = [];
    const rounds: Timeline[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      raw.push(await rawLoop(fleet));
      rounds.push(await pushRound(fleet, round));
    }
    const of = (key: keyof Timeline): number => median(rounds.map((r) => r[key]));
    const floor = median(raw);
    const total = of('running');
    const firstAction = median(rounds.map((r) => Math.max(0, r.firstAction - r.pushed)));
    const row = (what: string, ms: number): string => `${what.padEnd(64)} ${ms.toFixed(0).padStart(7)} ms`;
    process.stdout.write(
      [
        `${PODS} pods on ${fleet.lab.nodes.length} hosts, ${cpus().length} cores, median of ${ROUNDS} rounds, milliseconds since git push began`,
        row('push returned (hook: validate and plan; steps 1 to 4 begin)', of('pushed')),
        row('first pod object in the store (steps 1 to 6)', of('firstAction')),
        row(`${PODS} pod objects in the store (step 6)`, of('created')),
        row(`${PODS} pods bound (step 7)`, of('bound')),
        row('first pod Running, as reported (steps 8 to 10)', of('firstRunning')),
        row(`${PODS} pods Running, as reported (steps 8 to 10)`, total),
        row(`floor: raw CRI loop, ${IN_FLIGHT} in flight`, floor),
        `${'ratio'.padEnd(64)} ${(total / floor).toFixed(2).padStart(7)} x`,
        row('first action after the push returned', firstAction),
        '',
      ].join('\n'),
    );
    process.stdout.write(
      `${JSON.stringify({
        bench: 'push',
        pods: PODS,
        cores: cpus().length,
        rounds: ROUNDS,
        pushToRunningMs: Math.round(total),
        rawCriMs: Math.round(floor),
        ratio: Number((total / floor).toFixed(2)),
        firstActionAfterPushMs: Math.round(firstAction),
        pushMs: Math.round(of('pushed')),
        createdMs: Math.round(of('created')),
        boundMs: Math.round(of('bound')),
      })}\n`,
    );
  } finally {
    await fleet.close();
  }
}

await main();
