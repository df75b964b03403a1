/**
 * `npm run bench:readiness`: from the moment a pod's readiness probe finds another answer until the rules of the last of three
 * hosts say so. All is real: agents over SSH, the control plane, the kernel's rules, as `nft monitor` tells of them on each
 * host. The probe itself writes down when it ran, so that its period is not in it.
 *
 * Floor of the same run: `nft` with one small change by hand, until the same watcher sees it. A container tells the time to a
 * hundredth of a second: shorter differences are none.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { NODE_NAMES } from '../contracts/agent/places.ts';
import { GENERATION_CHAIN } from '../nodeagent/core/nftables/render.ts';
import { eventually, Fleet } from '../test/e2e/fleet.ts';
import { commandLine } from '../test/support/command-line.ts';
import { tied } from '../test/support/tied.ts';

const AIM_MS = 150;
/** Between two changes of the pod's mind: longer than any of them takes to be known. */
const PAUSE_SECONDS = 2;
const FLOOR_ROUNDS = 30;
const { changes: CHANGES } = commandLine('bench:readiness', {
  changes: { takes: 'number', default: 60, least: 2, says: 'changes of a pod from ready to not ready or back' },
});

/** One pod that is always ready, and one that changes its mind. Its probe's first answer of a kind is a line of its log. */
const MANIFEST = `apiVersion: v1
kind: Service
metadata: {name: flip}
spec:
  selector: {app: flip}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: steady, labels: {app: flip}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: 'registry.lab/busybox:1', command: [sleep, '36000']}]
---
apiVersion: v1
kind: Pod
metadata: {name: fickle, labels: {app: flip}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: registry.lab/busybox:1
      command: [sh, -c, 'while true; do sleep ${PAUSE_SECONDS}; touch /tmp/down; sleep ${PAUSE_SECONDS}; rm /tmp/down; done']
      readinessProbe:
        periodSeconds: 1
        failureThreshold: 1
        exec:
          command:
            - sh
            - -c
            - |
              now=up; [ ! -e /tmp/down ] || now=down
              read -r before < /tmp/before
              if [ "$now" != "$before" ]; then
                read -r at rest < /proc/uptime
                echo "$now" > /tmp/before
                echo "$now $at" > /proc/1/fd/1
              fi
              [ "$now" = up ]
`;

/** The clock that a container reads too, in milliseconds. */
function uptime(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
}

/** Tells when rules of ours changed on a host, and when the bench's own table did. */
class Watcher {
  readonly ours: number[] = [];
  readonly byHand: number[] = [];
  readonly #child: ChildProcess;

  constructor(pid: number) {
    const [program, ...args] = tied('nsenter', `--net=/proc/${pid}/ns/net`, 'nft', 'monitor');
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const mark = `add rule ip ${NODE_NAMES.nftTable} ${GENERATION_CHAIN} `;
    let list: number[] | undefined;
    if (this.#child.stdout)
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        if (line.startsWith(mark)) list = this.ours;
        else if (line.startsWith('add rule ip floor ')) list = this.byHand;
        else if (line.startsWith('# new generation')) {
          list?.push(uptime());
          list = undefined;
        }
      });
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill();
    await ended;
  }
}

function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil((sorted.length - 1) * share)] ?? Number.NaN;
}

/** Milliseconds until the watcher saw each of some changes by hand. */
async function floor(fleet: Fleet, host: string, watcher: Watcher): Promise<readonly number[]> {
  const found: number[] = [];
  await fleet.on(host, ['nft', 'add table ip floor; add chain ip floor c']);
  for (let round = 0; round < FLOOR_ROUNDS; round += 1) {
    const [since, seen] = [uptime(), watcher.byHand.length];
    await fleet.on(host, ['nft', 'add rule ip floor c accept']);
    await eventually('nft monitor tells', 10, async () => watcher.byHand.length > seen);
    found.push((watcher.byHand[seen] ?? Number.NaN) - since);
  }
  await fleet.on(host, ['nft', 'delete table ip floor']);
  return found;
}

interface Change {
  readonly now: 'up' | 'down';
  readonly at: number;
}

async function toldBy(fleet: Fleet): Promise<readonly Change[]> {
  const { code, stdout, stderr } = await fleet.plumb('logs', 'fickle');
  if (code !== 0) throw new Error(stderr);
  return [...stdout.matchAll(/^(up|down) ([\d.]+)$/gm)].map(([, now, seconds]) => ({
    now: now as Change['now'],
    at: Number(seconds) * 1000,
  }));
}

async function main(): Promise<void> {
  const fleet = await Fleet.start({
    name: 'benchrd',
    subnet: '198.18.18.0/24',
    podCIDR: '198.18.64.0/19',
    serviceCIDR: '198.19.192.0/18',
    nodes: 3,
  });
  const watchers: Watcher[] = [];
  try {
    await fleet.write('apps/flip.yaml', MANIFEST);
    await fleet.commitAndPush('Run a pod that changes its mind');
    await eventually('both run', 120, async () => {
      const pods = await fleet.list('Pod', 'default');
      return pods.length === 2 && pods.every(({ status }) => status?.phase === 'Running');
    });
    for (const { name } of fleet.lab.nodes) watchers.push(new Watcher(await fleet.initPid(name)));
    const [first] = watchers;
    const [host] = fleet.lab.nodes;
    if (!first || !host) throw new Error('a lab without hosts');
    const byHand = await floor(fleet, host.name, first);
    const begun = uptime();
    const known = first.ours.length;
    // Not by its log, which would be asked for all the time meanwhile.
    await eventually(
      'it changes its mind',
      CHANGES * PAUSE_SECONDS * 3 + 60,
      async () => first.ours.length > known + CHANGES,
    );
    const changes = (await toldBy(fleet)).filter((change) => change.at > begun);
    const took = { up: [] as number[], down: [] as number[] };
    const missed: Change[] = [];
    for (const [i, change] of changes.entries()) {
      const next = changes[i + 1];
      if (!next) break;
      // The last one on each host before the next change: one may write twice, first for pods of its own.
      const last = watchers.map(({ ours }) => ours.filter((one) => one >= change.at && one < next.at).at(-1));
      if (last.includes(undefined)) missed.push(change);
      else took[change.now].push(Math.max(...last.map((one) => one ?? 0)) - change.at);
    }
    const all = [...took.up, ...took.down];
    const line = (name: string, values: readonly number[]): string =>
      `  ${name.padEnd(34)} p50 ${at(values, 0.5).toFixed(0)} ms, p99 ${at(values, 0.99).toFixed(0)} ms, worst ${Math.max(...values).toFixed(0)} ms\n`;
    process.stdout.write(
      `${all.length} changes of readiness, 3 hosts, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)}: until the last host's rules have it\n${line('ready no more', took.down)}${line('ready again', took.up)}${line('floor: nft by hand, on one host', byHand)}  all: p99 ${at(all, 0.99).toFixed(0)} ms (aim: under ${AIM_MS} ms)${missed.length > 0 ? `; ${missed.length} changes were not seen on all hosts` : ''}\n`,
    );
    process.stdout.write(
      `${JSON.stringify({ bench: 'readiness', changes: all.length, missed: missed.length, p50: at(all, 0.5), p99: at(all, 0.99), worst: Math.max(...all), floorP50: at(byHand, 0.5), floorP99: at(byHand, 0.99), aim: AIM_MS, load: loadavg()[0] })}\n`,
    );
  } finally {
    await Promise.all(watchers.map((watcher) => watcher.close()));
    await fleet.close();
  }
}

await main();
