/** Faults of clocks: one that is set an hour forward and an hour back, on a node or where the control plane runs. */
import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually, run, type Fleet } from '../e2e/fleet.ts';
import { withRedis } from '../e2e/redis.ts';
import { setClock, TICKING, tickingPod } from '../e2e/ticking.ts';
import { clockFrom, clockText, redisWithoutSetClock, setRedisClock } from '../support/set-clock.ts';
import type { Fault } from './fault.ts';

const FILE = `apps/${TICKING}.yaml`;
/** Both nodes are of one machine. */
const SLACK = 4;
const CLOCK_ON_HOST = '/run/clock';
const AGENT_SERVICE = '/etc/init.d/plumbline-agent';
/** What a date may differ by from the one that was asked for: it is asked for in between. */
const ASKED_MEANWHILE_S = 60;

/** Resolves when `date`, in that environment, shows what was set. */
async function shows(
  seconds: number,
  date: () => Promise<{ readonly code: number; readonly stdout: string }>,
): Promise<void> {
  const shown = await date();
  const off = Number(shown.stdout) - Date.now() / 1000 - seconds;
  assert.ok(
    shown.code === 0 && Math.abs(off) < ASKED_MEANWHILE_S,
    "no clock can be set here: is Debian's faketime there?",
  );
}

async function withTicking(fleet: Fleet, text: string, during: () => Promise<void>): Promise<void> {
  await fleet.write(FILE, text);
  await fleet.commitAndPush('Run pods that count their probes');
  try {
    await during();
  } finally {
    await fleet.removeFiles(FILE);
  }
  await eventually('they are gone', 60, async () => (await fleet.pods(TICKING)).length === 0);
}

export const clockOfANode: Fault = {
  name: 'clock-of-a-node-set',
  holds: 'a node whose clock is set an hour forward or back ends nothing, is heard, and probes as before',
  async run({ fleet, random, hosts }) {
    const node = random.pick(hosts);
    const other = hosts.find((name) => name !== node) ?? assert.fail('one host is not enough');
    const environment = Object.entries(clockFrom(CLOCK_ON_HOST)).map(([name, value]) => `${name}=${value}`);
    const must = async (argv: readonly string[]): Promise<void> => {
      const done = await fleet.on(node, argv);
      assert.equal(done.code, 0, done.stderr);
    };
    const set = async (seconds: number): Promise<void> => {
      const text = clockText(seconds).trim();
      await must(['sh', '-c', 'echo "$1" > "$0.new" && mv "$0.new" "$0"', CLOCK_ON_HOST, text]);
      await shows(seconds, () => fleet.on(node, ['env', ...environment, 'date', '+%s']));
    };
    await set(0);
    await must(['env', ...environment, AGENT_SERVICE, 'restart']);
    try {
      await eventually(`the agent of ${node} answers`, 30, () => fleet.agent(node));
      const pods = { set: `${TICKING}-set`, other: `${TICKING}-other`, slack: SLACK };
      await withTicking(fleet, `${tickingPod(pods.set, node)}---\n${tickingPod(pods.other, other)}`, () =>
        setClock(fleet, pods, set),
      );
    } finally {
      await must([AGENT_SERVICE, 'restart']);
      await must(['rm', '-f', CLOCK_ON_HOST]);
    }
    await eventually(`the agent of ${node} answers`, 30, () => fleet.agent(node));
    await fleet.nodesReady([node]);
  },
};

/** The minute that is farthest from this one: with a clock that is set an hour forward it has come once, and does not come by itself meanwhile. */
function farMinute(): number {
  return (new Date().getUTCMinutes() + 30) % 60;
}

/** A schedule with one slot in each hour. */
function hourly(round: string, minute: number): string {
  return `apiVersion: batch/v1
kind: CronJob
metadata: {name: ${TICKING}-hourly, annotations: {round: "${round}"}}
spec:
  schedule: "${minute} * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: registry.lab/hello:1
              command: ["true"]
              resources: {requests: {cpu: 5m, memory: 4Mi}}
`;
}

/** Passes that were asked for, begun and ended so far, in all queues. */
function passes(fleet: Fleet): Promise<number> {
  // In one moment: a queue that is worked no more goes.
  const script = `
    local sum = 0
    for _, key in ipairs(redis.call('KEYS', '*:queue:*:events')) do
      local info = redis.call('XINFO', 'STREAM', key)
      for i = 1, #info, 2 do if info[i] == 'entries-added' then sum = sum + info[i + 1] end end
    end
    return sum`;
  return withRedis(fleet, async (redis) => Number(await redis.eval(script, 0)));
}

/** Who holds which shard, and by which token. */
function leases(fleet: Fleet): Promise<unknown> {
  return withRedis(fleet, async (redis) => {
    const meta = (await redis.keys('*:meta')).find((key) => !key.includes(':queue:'));
    return Object.entries(await redis.hgetall(meta ?? ''))
      .filter(([name]) => name.startsWith('lease:') || name === 'epoch')
      .sort();
  });
}

/** More than all objects of this fleet are asked for once. */
const MOST_PASSES = 2000;

export const clockOfControlPlane: Fault = {
  name: 'clock-of-the-control-plane-set',
  holds:
    'a control plane whose clock is set an hour forward or back moves nothing, keeps its leases, and runs each slot once',
  async run({ fleet, hosts }) {
    const file = path.join(fleet.dir, 'clock');
    let off = 0;
    const set = async (seconds: number): Promise<void> => {
      await writeFile(`${file}.new`, clockText(seconds));
      await rename(`${file}.new`, file);
      if (seconds !== off) await withRedis(fleet, (redis) => setRedisClock(redis, (seconds - off) * 1000));
      off = seconds;
      await shows(seconds, () => run(['date', '+%s'], { env: clockFrom(file) }));
    };
    const jobs = async (): Promise<readonly string[]> => (await fleet.list('Job')).map(({ metadata }) => metadata.name);
    await set(0);
    await fleet.stopControlPlane();
    const programs = await redisWithoutSetClock(path.join(fleet.dir, 'programs'));
    await fleet.startControlPlane({ ...clockFrom(file), PATH: `${programs}:${process.env['PATH'] ?? ''}` });
    try {
      const [node, other] = hosts;
      assert.ok(node !== undefined && other !== undefined, 'one host is not enough');
      const pods = { set: `${TICKING}-a`, other: `${TICKING}-b`, slack: SLACK };
      const minute = farMinute();
      const text = `${tickingPod(pods.set, node)}---\n${tickingPod(pods.other, other)}`;
      await withTicking(fleet, `${text}---\n${hourly('first', minute)}`, async () => {
        const held = await leases(fleet);
        let made = await passes(fleet);
        let ran: readonly string[] = [];
        await setClock(fleet, pods, set, async (seconds) => {
          assert.deepEqual(await leases(fleet), held);
          const now = await passes(fleet);
          assert.ok(now - made < MOST_PASSES, `${now - made} passes`);
          await fleet.write(FILE, `${text}---\n${hourly(`${seconds}`, minute)}`);
          await fleet.commitAndPush('Have the schedule looked at');
          if (seconds > 0)
            ran = await eventually('the slot of that hour ran', 60, async () => (await jobs()).length > 0 && jobs());
          else await fleet.plumb('status', '--wait', '--timeout', '20');
          assert.equal(ran.length, 1);
          assert.deepEqual(await jobs(), ran, 'each slot runs once');
          made = await passes(fleet);
        });
      });
    } finally {
      await fleet.stopControlPlane();
      await fleet.startControlPlane();
    }
  },
};
