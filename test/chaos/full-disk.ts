/** A node whose disk is full: the agent's and pods' files on a small one, which a pod fills to the last byte. */
import assert from 'node:assert/strict';
import { eventually, type Fleet } from '../e2e/fleet.ts';
import type { Fault } from './fault.ts';

const STATE = '/var/lib/plumbline';
const SMALL = '/run/small-disk';
const SERVICE = '/etc/init.d/plumbline-agent';
const APP = 'disk';
const FILE = `apps/${APP}.yaml`;

/** Runs `during` while what the agent keeps on disk, volumes of pods among it, is on a disk of 32 MB. */
async function withSmallDisk(fleet: Fleet, node: string, during: () => Promise<void>): Promise<void> {
  const must = async (...steps: string[]): Promise<void> => {
    const done = await fleet.on(node, ['sh', '-ec', steps.join('\n'), STATE, SMALL]);
    assert.equal(done.code, 0, done.stderr);
  };
  await must(
    `${SERVICE} stop`,
    // What the agent holds of its disk for when it is full, and holds of the small one as well.
    'rm -f "$0/reserve"',
    'mkdir "$1"',
    'mount -t tmpfs -o size=32m tmpfs "$1"',
    'cp -a "$0/." "$1/"',
    'mount --bind "$1" "$0"',
    `${SERVICE} start`,
  );
  try {
    await during();
  } finally {
    await must(
      `${SERVICE} stop`,
      'umount --lazy "$0"',
      'rm -f "$1/reserve"',
      'cp -a "$1/." "$0/"',
      'umount --lazy "$1"',
      'rmdir "$1"',
      `${SERVICE} start`,
    );
    await eventually(`the agent of ${node} answers`, 30, () => fleet.agent(node));
  }
}

async function freeBytes(fleet: Fleet, node: string): Promise<number> {
  const asked = await fleet.on(node, ['stat', '--file-system', '--format', '%a', STATE]);
  assert.equal(asked.code, 0, asked.stderr);
  return Number(asked.stdout);
}

/** None of them is ever evicted: what was acknowledged has to run on, and what fills the disk to go when it is told to. */
function pod(name: string, node: string, script: string): string {
  return `apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${APP}}}
spec:
  nodeName: ${node}
  priorityClassName: system-node-critical
  terminationGracePeriodSeconds: 1
  volumes: [{name: data, emptyDir: {}}]
  containers:
    - name: main
      image: registry.lab/hello:1
      command: [sh, -c, "${script}"]
      resources: {requests: {cpu: 5m, memory: 4Mi}}
      volumeMounts: [{name: data, mountPath: /data}]
`;
}

/** The containers that the node's own agent tells of, with what they are now. */
async function containersOn(fleet: Fleet, node: string): Promise<readonly string[]> {
  return (await fleet.podsOn(node))
    .flatMap(({ name, status }) =>
      (status?.containerStatuses ?? []).map((s) => `${name} ${s.containerID} ${s.restartCount} ${s.ready}`),
    )
    .sort();
}

export const fullDisk: Fault = {
  name: 'node-disk-full',
  holds: 'on a full disk an agent that starts anew runs on what it had, and a deletion that is pushed frees the disk',
  async run({ fleet, random, hosts }) {
    const node = random.pick(hosts);
    const kept = pod('disk-kept', node, 'exec sleep 36000');
    const fills = 'while :; do dd if=/dev/zero bs=65536 count=1024 >> /data/fill 2>/dev/null; sleep 0.2; done';
    await withSmallDisk(fleet, node, async () => {
      await fleet.write(FILE, `${kept}---\n${pod('disk-filler', node, fills)}`);
      await fleet.commitAndPush('Run a pod that fills the disk');
      try {
        await fleet.podsReady(APP, 2);
        /** What somebody lets go of is taken a moment later. */
        const isFull = (): Promise<true> =>
          eventually('the disk is full', 60, async () => (await freeBytes(fleet, node)) === 0 || undefined);
        await isFull();
        const before = await containersOn(fleet, node);
        await fleet.stopControlPlane('SIGKILL');
        try {
          const { pid } = await fleet.agent(node);
          assert.equal((await fleet.on(node, ['kill', '-KILL', String(pid)])).code, 0);
          await eventually('another agent runs what the one before it did', 30, async () => {
            assert.notEqual((await fleet.agent(node)).pid, pid);
            assert.deepEqual(await containersOn(fleet, node), before);
            return true;
          });
          await isFull();
        } finally {
          await fleet.startControlPlane();
        }
        await fleet.write(FILE, `${kept}---\n${pod('disk-later', node, 'exec sleep 36000')}`);
        await fleet.commitAndPush('Run another in the place of what fills the disk');
        await eventually('what filled the disk is gone, and another has its place', 60, async () => {
          const pods = (await fleet.podsReady(APP, 2, { seconds: 0 })).map(({ metadata }) => metadata.name).sort();
          assert.deepEqual(pods, ['disk-kept', 'disk-later']);
          assert.ok((await freeBytes(fleet, node)) > 0);
          return true;
        });
        const after = await containersOn(fleet, node);
        assert.deepEqual(
          after.filter((line) => !line.startsWith('disk-later ')),
          before.filter((line) => !line.startsWith('disk-filler ')),
        );
      } finally {
        await fleet.removeFiles(FILE);
      }
      await eventually('they are gone', 60, async () => (await fleet.pods(APP)).length === 0);
    });
    await fleet.nodesReady([node]);
  },
};
