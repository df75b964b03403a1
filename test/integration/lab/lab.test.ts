/** The lab on the real machine: real namespaces, sshd, containerd, registry. */
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  labDown,
  labExec,
  labHeal,
  labPartition,
  labPowerOff,
  labPowerOn,
  labSshArgv,
  labStatus,
  labUp,
  type LabInfo,
} from '../../../lab/index.ts';
import { cgroupExists, machineHierarchies } from '../../../lab/cgroups.ts';
import { answers, run, type Ran } from '../../../lab/process.ts';
import { interrupted } from '../../support/interruption.ts';
import { ownLab, type OwnLab } from '../../support/lab.ts';
import { tied } from '../../support/tied.ts';
import { labUnsupported } from './unsupported.ts';
import { polled } from '../../support/patience.ts';

const NAME = 'plumbt';
const SUBNET = '198.18.9.0/24';
const skip = labUnsupported();

/** Everything on this machine that bears the lab's name or folder. */
async function traces(name: string, dir: string): Promise<string[]> {
  const devices = (await readdir('/sys/class/net')).filter((device) => device.startsWith(`${name}-`));
  const namespaces = (await readdir('/run/netns').catch(() => [] as string[])).filter((netns) => netns.includes(name));
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(dir) || line.includes(`/${name}`));
  const cgroups = cgroupExists(machineHierarchies(), name) ? [`cgroup ${name}`] : [];
  const files = await readdir(dir).catch(() => [] as string[]);
  const processes: string[] = [];
  for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    // A zombie is gone but for the exit code that its parent, the machine's init where ours died, has yet to fetch.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    if (stat.slice(stat.lastIndexOf(')')).startsWith(') Z')) continue;
    const memberships = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (memberships.includes(`/plumb-lab/${name}`) || (commandLine.includes(dir) && Number(pid) !== process.pid))
      processes.push(`${pid} ${commandLine.replaceAll('\0', ' ')}`);
  }
  return [...devices, ...namespaces, ...mounts, ...cgroups, ...files, ...processes];
}

describe('lab', { skip }, () => {
  const dir = '/var/tmp/plumb-lab-test';
  let own: OwnLab;
  let lab: LabInfo;
  const on = (node: string, ...argv: string[]): Promise<Ran> => labExec({ dir, node, argv });
  const ssh = async (node: string, line: string): Promise<Ran> => run(await labSshArgv({ dir, node, argv: [line] }));

  before(async () => {
    own = await ownLab({ name: NAME, dir });
    lab = await labUp({ name: NAME, dir, subnet: SUBNET, nodes: 2, signal: interrupted });
  });
  after(async () => {
    await own?.close();
  });

  it('describes itself, also in lab.json', async () => {
    assert.deepEqual(
      lab.nodes.map((n) => [n.name, n.address, n.state]),
      [
        ['node-1', '198.18.9.11', 'up'],
        ['node-2', '198.18.9.12', 'up'],
      ],
    );
    assert.deepEqual(JSON.parse(await readFile(join(dir, 'lab.json'), 'utf8')), lab);
    assert.deepEqual(await labStatus({ dir }), { ...lab, registryUp: true });
  });

  it('lets the control plane in over ssh with pinned keys, each host under its own name', async () => {
    for (const node of lab.nodes) {
      const said = await ssh(node.name, 'hostname; cat /etc/machine-id');
      assert.equal(said.code, 0, said.stderr);
      assert.match(said.stdout, new RegExp(`^${node.name}\n[0-9a-f]{32}\n$`));
    }
    assert.notEqual(lab.nodes[0]?.hostKey, lab.nodes[1]?.hostKey);
  });

  it('refuses ssh without the key', async () => {
    const argv = (await labSshArgv({ dir, node: 'node-1', argv: ['true'] })).map((word) =>
      word === lab.sshKeyPath ? '/dev/null' : word,
    );
    assert.equal((await run(argv)).code, 255);
  });

  it('connects hosts with each other and with nothing outside of the lab', async () => {
    assert.equal((await on('node-1', 'busybox', 'ping', '-c', '1', '-W', '2', 'node-2')).code, 0);
    const routes = (await on('node-1', 'ip', 'route')).stdout.trim().split('\n');
    assert.deepEqual(
      routes.map((line) => line.split(' ')[0]),
      [SUBNET],
    );
  });

  it("gives every host its own processes, disk and cgroups, and the machine's programs read-only", async () => {
    assert.equal((await on('node-1', 'cat', '/proc/1/comm')).stdout.trim(), 'busybox');
    assert.match((await on('node-1', 'cat', '/proc/self/cgroup')).stdout, /:\/(init)?\n/);
    assert.notEqual((await on('node-1', 'touch', '/usr/bin/x')).code, 0);
    assert.equal((await on('node-1', 'sh', '-c', 'echo one > /var/lib/plumbline/mark')).code, 0);
    assert.equal((await on('node-2', 'test', '-e', '/var/lib/plumbline/mark')).code, 1);
    assert.equal((await on('node-1', 'test', '-e', lab.sshKeyPath)).code, 1);
  });

  it('pulls images from the registry by name and runs them under runc', async () => {
    const pulled = await on(
      'node-1',
      'ctr',
      '-n',
      'k8s.io',
      'images',
      'pull',
      '--hosts-dir',
      '/etc/containerd/certs.d',
      'registry.lab/hello:1',
    );
    assert.equal(pulled.code, 0, pulled.stderr);
    const ran = await on(
      'node-1',
      'ctr',
      '-n',
      'k8s.io',
      'run',
      '--rm',
      '--cgroup',
      '/plumbline/try',
      'registry.lab/hello:1',
      'try',
      'cat',
      '/etc/hello-version',
    );
    assert.deepEqual([ran.code, ran.stdout], [0, 'v1\n'], ran.stderr);
  });

  it('has an example server that lets answers under way finish when it is asked to end', async () => {
    await on(
      'node-2',
      'ctr',
      '-n',
      'k8s.io',
      'images',
      'pull',
      '--hosts-dir',
      '/etc/containerd/certs.d',
      'registry.lab/hello:2',
    );
    const started = await on(
      'node-2',
      'ctr',
      '-n',
      'k8s.io',
      'run',
      '-d',
      '--net-host',
      '--cgroup',
      '/plumbline/web',
      '--env',
      'PORT=8099',
      '--env',
      'GREETING=good day',
      'registry.lab/hello:2',
      'web',
    );
    assert.equal(started.code, 0, started.stderr);
    const url = 'http://198.18.9.12:8099';
    await polled(
      'the example server answers',
      async () =>
        (await fetch(`${url}/healthz`).then(
          (r) => r.status,
          () => 0,
        )) === 200 || undefined,
      { timeoutMs: 10_000 },
    );
    assert.match(await (await fetch(url)).text(), /^good day from v2, pod \S+\n$/);

    // One request is half sent when the end is asked for; others keep coming while it drains.
    const half = createConnection({ host: '198.18.9.12', port: 8099 });
    let answer = '';
    half.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    const closed = new Promise((resolve) => half.once('close', resolve));
    await new Promise((resolve) => half.write('GET / HTTP/1.1\r\n', resolve));
    await fetch(url);
    await on('node-2', 'ctr', '-n', 'k8s.io', 'task', 'kill', '--signal', 'SIGTERM', 'web');
    assert.equal((await fetch(`${url}/healthz`)).status, 200, 'still serves right after SIGTERM');
    await polled(
      'it stops listening',
      async () => ((await answers({ host: '198.18.9.12', port: 8099 })) ? undefined : true),
      { timeoutMs: 5000, everyMs: 100 },
    );
    assert.match(
      (await on('node-2', 'ctr', '-n', 'k8s.io', 'task', 'ls')).stdout,
      /web .*RUNNING/,
      'waits for the open request',
    );
    half.write('Host: x\r\n\r\n');
    await closed;
    assert.match(answer, /^HTTP\/1\.[01] 200 OK[\s\S]*good day from v2/);
    await polled(
      'it ends',
      async () =>
        /web .*STOPPED/.test((await on('node-2', 'ctr', '-n', 'k8s.io', 'task', 'ls')).stdout) ? true : undefined,
      { timeoutMs: 5000, everyMs: 50 },
    );
    assert.equal((await on('node-2', 'ctr', '-n', 'k8s.io', 'task', 'delete', 'web')).code, 0, 'ended with 0');
  });

  it('starts sshd again when it dies', async () => {
    const before = (await on('node-2', 'cat', '/run/sshd.pid')).stdout.trim();
    await on('node-2', 'kill', '-9', before);
    await polled(
      'sshd was not started again',
      async () => {
        const now = (await on('node-2', 'cat', '/run/sshd.pid')).stdout.trim();
        return now !== before && (await answers({ host: '198.18.9.12', port: 22 }, { greeting: true }))
          ? true
          : undefined;
      },
      { timeoutMs: 15_000, everyMs: 50 },
    );
  });

  it('loses all but the disk in a power cut, silently, and starts its services when the power is back', async () => {
    await labExec({
      dir,
      node: 'node-1',
      argv: ['sh', '-c', 'cat > /etc/init.d/example; chmod 755 /etc/init.d/example; echo x > /run/mark; sync'],
      input: '#!/bin/sh\necho "$1" >> /var/lib/plumbline/started\n',
    });
    await on('node-1', 'ctr', '-n', 'k8s.io', 'run', '-d', '--cgroup', '/plumbline/a', 'registry.lab/hello:1', 'a');
    const keyBefore = lab.nodes[0]?.hostKey;
    const open = await greeted('198.18.9.11', 22);
    await labPowerOff({ dir, node: 'node-1' });
    assert.deepEqual(open.heard, [], 'no goodbye was sent');
    open.socket.destroy();
    assert.deepEqual(
      (await labStatus({ dir })).nodes.map((n) => n.state),
      ['off', 'up'],
    );
    assert.equal(await answers({ host: '198.18.9.11', port: 22 }, { timeoutMs: 300 }), false);
    await assert.rejects(on('node-1', 'true'), /node-1 is off/);

    await labPowerOn({ dir, node: 'node-1' });
    const status = await labStatus({ dir });
    assert.deepEqual(
      status.nodes.map((n) => [n.state, n.name]),
      [
        ['up', 'node-1'],
        ['up', 'node-2'],
      ],
    );
    assert.equal(status.nodes[0]?.hostKey, keyBefore);
    assert.equal((await ssh('node-1', 'cat /var/lib/plumbline/mark')).stdout, 'one\n');
    assert.equal((await on('node-1', 'test', '-e', '/run/mark')).code, 1);
    await polled(
      'the service was not started',
      async () => ((await on('node-1', 'cat', '/var/lib/plumbline/started')).stdout === 'start\n' ? true : undefined),
      { timeoutMs: 10_000 },
    );
    assert.doesNotMatch((await on('node-1', 'ctr', '-n', 'k8s.io', 'task', 'ls')).stdout, /RUNNING/);
  });

  it('drops everything in a partition while the host runs on, and heals', async () => {
    await labPartition({ dir, node: 'node-2' });
    assert.equal((await labStatus({ dir })).nodes[1]?.state, 'partitioned');
    assert.notEqual((await on('node-1', 'busybox', 'ping', '-c', '1', '-W', '1', '198.18.9.12')).code, 0);
    assert.equal((await on('node-2', 'cat', '/sys/class/net/eth0/carrier')).stdout.trim(), '1');
    await labHeal({ dir, node: 'node-2' });
    assert.equal((await labStatus({ dir })).nodes[1]?.state, 'up');
    assert.equal((await on('node-1', 'busybox', 'ping', '-c', '3', '-W', '2', '198.18.9.12')).code, 0);
  });

  it('says so when it is up already, and refuses to be another lab', async () => {
    const lines: string[] = [];
    const again = await labUp({ dir, progress: (line) => lines.push(line) });
    assert.deepEqual(
      again.nodes.map((n) => n.state),
      ['up', 'up'],
    );
    assert.deepEqual(lines, [`the lab '${NAME}' is already up`]);
    await assert.rejects(labUp({ dir, nodes: 5 }), { exitCode: 2, message: /already up with nodes 2, not 5/ });
    await assert.rejects(labUp({ name: NAME, dir: '/var/tmp/plumb-lab-elsewhere', subnet: SUBNET, nodes: 2 }), {
      exitCode: 2,
      message: /is up in/,
    });
    await assert.rejects(labDown({ name: NAME, dir: '/var/tmp/plumb-lab-elsewhere' }), {
      exitCode: 2,
      message: /is up in/,
    });
    assert.deepEqual(await readdir('/var/tmp/plumb-lab-elsewhere').catch(() => []), []);
  });

  it('refuses addresses that are taken, with nothing half-made', async () => {
    const other = `${NAME.slice(0, 9)}x`;
    await assert.rejects(labUp({ name: other, dir: `${dir}x`, subnet: '198.18.9.128/25', nodes: 1 }), {
      exitCode: 2,
      message: /already has 198\.18\.9\.1\/24/,
    });
    assert.deepEqual(await traces(other, `${dir}x`), []);
  });

  it('goes down without a trace, also with containers running and a host cut off, and down again does nothing', async () => {
    await on('node-1', 'ctr', '-n', 'k8s.io', 'run', '-d', '--cgroup', '/plumbline/b', 'registry.lab/hello:1', 'b');
    await labPartition({ dir, node: 'node-2' });
    assert.notDeepEqual(await traces(NAME, dir), []);
    assert.equal(await labDown({ dir, name: NAME }), true);
    assert.deepEqual(await traces(NAME, dir), []);
    assert.equal(await labDown({ dir, name: NAME }), false);
    assert.equal(await labDown({ dir }), false);
    await assert.rejects(labStatus({ dir }), { exitCode: 2, message: /There is no lab in/ });
  });
});

describe('lab in a crash', { skip }, () => {
  const name = 'plumbc';
  const work = '/var/tmp/plumb-crash-test';
  const dir = join(work, 'lab');
  const subnet = '198.18.10.0/24';
  const script = `import { labUp } from ${JSON.stringify(join(import.meta.dirname, '../../../lab/index.ts'))};
await labUp({ name: ${JSON.stringify(name)}, dir: ${JSON.stringify(dir)}, subnet: ${JSON.stringify(subnet)}, nodes: 2, progress: (line) => console.log(line) });`;
  let own: OwnLab;

  beforeEach(async () => {
    own = await ownLab({ name, dir });
    await mkdir(work, { recursive: true });
  });
  afterEach(async () => {
    await own.close();
    await rm(work, { recursive: true, force: true });
  });

  /** When to kill: after this many milliseconds from the first line of progress. Spread over what `up` does. */
  for (const afterMs of [0, 60, 150, 300, 600]) {
    it(`is cleared away after SIGKILL ${afterMs} ms into up`, async () => {
      await writeFile(join(work, 'up.mts'), script);
      const [program, ...args] = tied(process.execPath, '--import', import.meta.resolve('tsx'), join(work, 'up.mts'));
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = new Promise((resolve) => child.on('close', resolve));
      await new Promise((resolve) => child.stdout.once('data', resolve));
      const killAt = performance.now() + afterMs;
      await polled('the moment to kill', () => (performance.now() >= killAt ? true : undefined), {
        timeoutMs: 5000,
        everyMs: 5,
      });
      child.kill('SIGKILL');
      await ended;
      assert.equal(await labDown({ dir, name }), true);
      assert.deepEqual(await traces(name, dir), []);
    });
  }

  it('comes up afresh over what a crash left', async () => {
    const first = await labUp({ name, dir, subnet, nodes: 1, registry: false });
    process.kill(first.nodes[0]?.pid ?? 0, 'SIGKILL');
    await polled(
      'the host goes off',
      async () => ((await labStatus({ dir })).nodes[0]?.state === 'off' ? true : undefined),
      { timeoutMs: 10_000 },
    );
    const second = await labUp({ name, dir, subnet, nodes: 1, registry: false });
    assert.equal(second.nodes[0]?.state, 'up');
    assert.notEqual(second.nodes[0].hostKey, first.nodes[0]?.hostKey);
    await own.close();
    assert.deepEqual(await traces(name, dir), []);
  });

  it('takes everything down again when it is interrupted', async () => {
    const controller = new AbortController();
    await assert.rejects(
      labUp({
        name,
        dir,
        subnet,
        nodes: 2,
        signal: controller.signal,
        progress: (line) => {
          if (line.startsWith('bridge')) controller.abort(new Error('interrupted'));
        },
      }),
      /interrupted/,
    );
    assert.deepEqual(await traces(name, dir), []);
  });
});

/** A connection over which the other side has said its first words; `heard` collects what it says or does after. */
async function greeted(host: string, port: number): Promise<{ socket: Socket; heard: string[] }> {
  const heard: string[] = [];
  const socket = createConnection({ host, port });
  await new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject));
  for (const event of ['data', 'end', 'error', 'close'] as const) socket.on(event, () => heard.push(event));
  return { socket, heard };
}
