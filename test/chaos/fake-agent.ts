/** Faults of a node that is somebody else's: its agent's place is taken by one that lies. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { eventually, type Fleet } from '../e2e/fleet.ts';
import { loseStore } from '../e2e/redis.ts';
import { tied } from '../support/tied.ts';
import { lasts, type Fault } from './fault.ts';

const SOCKET = '/run/plumbline/agent.sock';

/** Runs `during` while the real agent is stopped and a lying one has its socket; puts the real one back. */
async function withFakeAgent(
  fleet: Fleet,
  node: string,
  mode: 'lies' | 'endless',
  during: () => Promise<void>,
): Promise<void> {
  const { pid } = await fleet.agent(node);
  const must = async (...argv: string[]): Promise<void> => {
    const done = await fleet.on(node, argv);
    assert.equal(done.code, 0, done.stderr);
  };
  await must('kill', '-STOP', String(pid));
  await must('mv', SOCKET, `${SOCKET}.real`);
  const [program, ...args] = tied(
    process.execPath,
    path.join(import.meta.dirname, 'fake-agent.mjs'),
    `/proc/${await fleet.initPid(node)}/root${SOCKET}`,
    mode,
    node,
  );
  const fake = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(fake, 'exit');
  try {
    await Promise.race([once(fake.stdout, 'data'), ended.then(() => assert.fail('the lying agent ended'))]);
    await during();
  } finally {
    fake.kill('SIGKILL');
    await ended;
    await must('mv', '-f', `${SOCKET}.real`, SOCKET);
    await must('kill', '-CONT', String(pid));
  }
}

export const lyingNode: Fault = {
  name: 'node-lies-in-its-inventory',
  holds: 'of what a node invents for a rebuild nothing appears outside it, and honest agents are not locked out',
  mayFailRequests: true,
  async run({ fleet, random, hosts }) {
    const node = random.pick(hosts);
    await withFakeAgent(fleet, node, 'lies', async () => {
      await loseStore(fleet);
      const others = fleet.lab.nodes.map(({ name }) => name).filter((name) => name !== node);
      await fleet.nodesReady(others);
      const found = [
        ...(await fleet.list('Deployment')),
        ...(await fleet.list('ReplicaSet')),
        ...(await fleet.list('Service')),
        ...(await fleet.list('Pod')),
      ].filter(({ metadata }) => metadata.name.startsWith('evil'));
      assert.deepEqual(
        found.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
        [],
      );
    });
    await fleet.nodesReady([node], 60);
  },
};

export const endlessAnswers: Fault = {
  name: 'agent-answers-without-end',
  holds: "an agent whose answers never end takes neither the others' beats nor the control plane's memory",
  mayFailRequests: true,
  async run({ fleet, random, hosts }) {
    const node = random.pick(hosts);
    const others = fleet.lab.nodes.map(({ name }) => name).filter((name) => name !== node);
    await withFakeAgent(fleet, node, 'endless', async () => {
      for (let second = random.between(15, 25); second > 0; second -= 1) {
        await lasts(1);
        const unready = (await fleet.list('Node')).filter(
          ({ metadata, status }) =>
            others.includes(metadata.name) &&
            !status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
        );
        assert.deepEqual(
          unready.map(({ metadata }) => metadata.name),
          [],
        );
      }
    });
    await eventually(`${node} is Ready again`, 60, async () =>
      (await fleet.list('Node'))
        .find(({ metadata }) => metadata.name === node)
        ?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
    );
  },
};
