/** What people look at while pods run: what they take, their files, their ports, their logs. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { it } from 'node:test';
import { PLUMB } from '../../support/built-cli.ts';
import { makeFolder } from '../../support/folder.ts';
import { tied } from '../../support/tied.ts';
import { eventually } from '../fleet.ts';
import type { Theme } from './theme.ts';
import { inTime } from '../../support/in-time.ts';

export const lookingIn: Theme = (fleet, round) => {
  const namespace = `look-${round}`;
  const plumb = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await fleet().plumb(...args);
    assert.equal(code, 0, `plumb ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const pod = (name: string, container: string): string =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: ${namespace}, labels: {app: ${name}}}\nspec: {terminationGracePeriodSeconds: 1, containers: [{name: main, ${container}}]}\n`;

  async function put(): Promise<void> {
    const shell = 'image: "registry.lab/busybox:1", command: [sh, -c';
    await fleet().write(
      `${namespace}.yaml`,
      [
        `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n`,
        pod('busy', `${shell}, "while :; do :; done"], resources: {limits: {cpu: 300m}}`),
        pod('idle', `${shell}, "echo first; echo second; exec sleep 1000"]`),
        pod('web', 'image: "registry.lab/hello:1", ports: [{name: http, containerPort: 8080}]'),
        `apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: ${namespace}}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}\n`,
      ].join('---\n'),
    );
    await fleet().commitAndPush(`Pods to look into, round ${round}`);
    await eventually('they run', 60, async () => {
      const pods = await fleet().list('Pod', namespace);
      return pods.length === 3 && pods.every(({ status }) => status?.phase === 'Running');
    });
  }

  it('shows what pods and nodes take, copies files, forwards a port, and tells logs', async () => {
    await put();
    await eventually('the Service has its endpoint', 30, async () =>
      (await fleet().list('EndpointSlice', namespace)).some(({ endpoints }) =>
        endpoints.some((one) => one.conditions.ready),
      ),
    );
    const dir = makeFolder('plumb-look-');
    const forward = spawn(...programOf(['port-forward', '-n', namespace, 'svc/web', ':80']), {
      env: { ...process.env, PLUMB_HOME: fleet().home },
    });
    let complaint = '';
    forward.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    try {
      const rows = (text: string): ReadonlyMap<string, readonly string[]> =>
        new Map(text.split('\n').map((line) => [line.split(/ +/)[0] ?? '', line.split(/ +/).slice(1)]));
      const milli = (cell: string | undefined): number => Number(/^(\d+)m$/.exec(cell ?? '')?.[1] ?? Number.NaN);
      const [busy, idle] = await eventually('the busy one shows', 30, async () => {
        const found = rows(await plumb('top', 'pod', '-n', namespace, '--sort-by', 'cpu'));
        const cpu = ['busy', 'idle'].map((name) => milli(found.get(name)?.[0]));
        return (cpu[0] ?? 0) > 50 && cpu;
      });
      assert.ok(busy !== undefined && busy <= 400, `${busy}m with a limit of 300m`);
      assert.ok(idle !== undefined && idle < 50, `${idle}m of one that sleeps`);
      await eventually('every node shows', 60, async () => {
        const nodes = rows(await plumb('top', 'node'));
        for (const { metadata } of await fleet().list('Node'))
          assert.match(nodes.get(metadata.name)?.join(' ') ?? '', /^\d+m \d+% \d+Mi \d+%$/, metadata.name);
        return true;
      });

      const content = 'x'.repeat(300_000);
      await writeFile(join(dir, 'file'), content);
      await plumb('cp', join(dir, 'file'), `${namespace}/idle:/tmp/there`);
      assert.equal(await plumb('exec', '-n', namespace, 'idle', '--', 'wc', '-c', '/tmp/there'), '300000 /tmp/there\n');
      await plumb('cp', '-n', namespace, 'idle:/tmp/there', join(dir, 'back'));
      assert.equal(await readFile(join(dir, 'back'), 'utf8'), content);

      const ended = once(forward, 'exit').then(() => assert.fail(`port-forward has ended: ${complaint}`));
      const said = Promise.race([once(forward.stdout, 'data') as Promise<[Buffer]>, ended]);
      ended.catch(() => undefined);
      const [first] = await inTime('port-forward says where it listens', 60_000, said);
      const port = /127\.0\.0\.1:(\d+) -> 8080/.exec(first.toString())?.[1] ?? assert.fail(first.toString());
      assert.equal(await answer(Number(port)), 'hello from v1, pod web\n');

      const labels = ['-n', namespace, '-l', 'app=idle', '--prefix'];
      assert.equal(await plumb('logs', ...labels), '[pod/idle/main] first\n[pod/idle/main] second\n');
      assert.equal(await plumb('logs', ...labels, '--since', '1h', '--tail', '1'), '[pod/idle/main] second\n');
    } finally {
      forward.kill();
      await rm(dir, { recursive: true, force: true });
      await fleet().removeFiles(`${namespace}.yaml`);
    }
    await eventually('nothing is left of it', 60, async () => (await fleet().list('Pod', namespace)).length === 0);
  });
};

function programOf(args: readonly string[]): [string, string[]] {
  const [program = '', ...rest] = tied(process.execPath, PLUMB, ...args);
  return [program, rest];
}

function answer(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(text)).on('error', reject);
    }).on('error', reject);
  });
}
