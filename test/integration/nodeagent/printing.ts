/** Containers that print what they see and end: many on one host at once, read one by one. */
import assert from 'node:assert/strict';
import { readdir, readlink } from 'node:fs/promises';
import type { Node, Pod } from '../../../contracts/objects/index.ts';
import { testPod, type TestAgent } from './agent.ts';
import { BUSYBOX } from './host.ts';
import { patience, polled } from '../../support/patience.ts';

/** What the node of these tests has for its pods. */
export const NODE: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'test-node' },
  spec: {},
  status: { allocatable: { cpu: '3920m', memory: '7Gi', 'ephemeral-storage': '10G', pods: '110' } },
};

export function printing(name: string, script: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { name, image: BUSYBOX, command: ['/bin/sh', '-c', script], ...more };
}

/** A pod of containers that end. */
export function printer(
  name: string,
  containers: readonly Record<string, unknown>[],
  spec: Record<string, unknown> = {},
  meta: Record<string, unknown> = {},
): Pod {
  return testPod(name, { restartPolicy: 'Never', terminationGracePeriodSeconds: 0, containers, ...spec }, meta);
}

/** What a container of a pod printed until it ended well. */
export async function printed(agent: TestAgent, pod: string, container: string): Promise<string> {
  const { status } = await agent.until(
    pod,
    (report) => ['Succeeded', 'Failed'].includes(report.status?.phase ?? 'Pending'),
    120_000,
  );
  await untilLogIsWhole(agent, pod, container);
  const { text } = await agent.call('GET', `/v1/logs?namespace=default&pod=${pod}&container=${container}`);
  const ended = status?.containerStatuses?.find((one) => one.name === container)?.state.terminated;
  assert.equal(ended?.exitCode, 0, `${container} of ${pod} ended with ${JSON.stringify(ended)}: ${text}`);
  return text;
}

/** Resolves when nothing more comes into the log of a container that has ended. */
export async function untilLogIsWhole(agent: TestAgent, pod: string, container: string): Promise<void> {
  await polled(`the log of ${pod}/${container} is whole`, async () => !(await isWritten(agent, pod, container)), {
    timeoutMs: 20_000,
  });
}

/**
 * If the log of a container is still open: containerd tells of a container's end before it has written the last lines,
 * and closes the file then.
 */
async function isWritten(agent: TestAgent, pod: string, container: string): Promise<boolean> {
  const folder = `/proc/${agent.host.pid}/fd`;
  const open = await Promise.all((await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')));
  return open.some((path) => path.includes(`/default_${pod}_`) && path.includes(`/${container}/`));
}

/** Asks a container until it answers that. */
export async function untilSays(
  agent: TestAgent,
  pod: string,
  script: string,
  expected: string,
  ms = 20_000,
): Promise<void> {
  const isOver = patience(ms);
  for (;;) {
    const { stdout, stderr } = await agent.exec(pod, ['/bin/sh', '-c', script]);
    if (stdout === expected) return;
    assert.ok(!isOver(), `${script} in ${pod} still says ${stdout}${stderr}`);
  }
}
