/** A probe that fails, as those see it who send requests. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { it } from 'node:test';
import { isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { tied } from '../../support/tied.ts';
import { helloApp } from '../manifests.ts';
import { eventually, type Fleet } from '../fleet.ts';
import type { Theme } from './theme.ts';

/** From the probe's own failure to the last request that was sent to the pod. */
const OUT_WITHIN_S = 1;

export const probes: Theme = (fleet, round) => {
  it('a pod whose probe fails has no request of its Service a second later, on another host either', async () => {
    const name = `failing-${round}`;
    // Writes down when it failed: hosts of the lab have one clock.
    const probe = 'test ! -e /tmp/bad || { cat /proc/uptime >> /tmp/failed; exit 1; }';
    const text = helloApp({ name, replicas: 2 }).replace(
      /httpGet: .*/,
      `exec: {command: [sh, -c, ${JSON.stringify(probe)}]}\n            failureThreshold: 1\n            timeoutSeconds: 5`,
    );
    await fleet().write(`${name}.yaml`, text);
    await fleet().commitAndPush('Run what will fail');
    const [bad, good] = await eventually('both are ready', 60, async () => {
      const found = (await fleet().pods(name)).filter((pod) => isReady(pod));
      return found.length === 2 && found;
    });
    assert.ok(bad && good);
    const other = fleet().lab.nodes.find((node) => node.name !== bad.spec.nodeName)?.name ?? '';
    const requests = await startRequests(fleet(), other, `http://${await fleet().clusterIP(name)}/`);
    try {
      await requests.until(({ pod }) => pod === bad.metadata.name);
      const broken = await fleet().plumb('exec', bad.metadata.name, '--', 'touch', '/tmp/bad');
      assert.equal(broken.code, 0, broken.stderr);
      const failedAt = await eventually('the probe fails', 30, async () => {
        const { code, stdout } = await fleet().plumb('exec', bad.metadata.name, '--', 'cat', '/tmp/failed');
        return code === 0 && Number(stdout.split(' ')[0]);
      });
      await requests.until(({ pod, at }) => pod === good.metadata.name && at > failedAt + 2 * OUT_WITHIN_S);
      const last = requests.answered.findLast(({ pod }) => pod === bad.metadata.name)?.at ?? 0;
      const lateBy = Math.round(1000 * (last - failedAt));
      assert.ok(last < failedAt + OUT_WITHIN_S, `a request was sent to it ${lateBy} ms after its probe failed`);
    } finally {
      await requests.stop();
    }
    await fleet().removeFiles(`${name}.yaml`);
    await eventually('nothing is left of it', 60, async () => (await fleet().pods(name)).length === 0);
  });
};

interface Answer {
  /** Seconds since the machine was started, when the request was sent. */
  readonly at: number;
  readonly pod: string;
}

interface Requests {
  readonly answered: readonly Answer[];
  /** Resolves with the first answer from now on that is so. */
  until(is: (answer: Answer) => boolean): Promise<unknown>;
  stop(): Promise<void>;
}

const ASK = `
const { get } = require('node:http'), { readFileSync } = require('node:fs');
setInterval(() => {
  const [at] = readFileSync('/proc/uptime', 'utf8').split(' ');
  get(process.argv[1], { agent: false, timeout: 2000 }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk) => (text += chunk)).on('end', () => console.log(at, /pod (\\S+)/.exec(text)?.[1]));
  }).on('error', () => undefined);
}, 20);
process.stdin.resume().on('end', () => process.exit(0));
`;

/** Of a Service, 50 in a second, from a host's network. */
async function startRequests(fleet: Fleet, node: string, url: string): Promise<Requests> {
  const net = `--net=/proc/${await fleet.initPid(node)}/ns/net`;
  const [program, ...args] = tied('nsenter', net, process.execPath, '-e', ASK, url);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const answered: Answer[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [at = '', pod = ''] = line.split(' ');
    answered.push({ at: Number(at), pod });
  });
  return {
    answered,
    until(is) {
      const from = answered.length;
      return eventually('an answer', 30, () => Promise.resolve(answered.slice(from).some(is)));
    },
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
