/** `plumb attach`, `plumb port-forward` and `plumb cp` to real containers, over SSH and the agent. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Pod, Service } from '../../../contracts/objects/index.ts';
import { buildCli, PLUMB } from '../../support/built-cli.ts';
import { makeFolder } from '../../support/folder.ts';
import { inTime } from '../../support/in-time.ts';
import { openTerminal, type Terminal } from '../../support/terminal.ts';
import { shellPod } from '../nodeagent/agent.ts';
import { execBench, type ExecBench } from './exec-bench.ts';

const LARGE = 3_000_000;
const PODS = [
  // On the pod's loopback address alone: no other way leads there.
  shellPod(
    'web',
    `mkdir /tmp/w; head -c ${LARGE} /dev/zero > /tmp/w/large; exec httpd -f -p 127.0.0.1:8080 -h /tmp/w`,
    {
      container: { ports: [{ name: 'http', containerPort: 8080 }] },
    },
  ),
  shellPod('echo', 'echo started; while read line; do echo "out $line"; echo "err $line" >&2; done; echo over', {
    container: { stdin: true, stdinOnce: true },
  }),
  shellPod('files', 'busybox --install -s /bin; mkdir -p /tmp; exec sleep 1000'),
  shellPod('doomed', 'exec sleep 1000'),
  shellPod('shell', 'exec sh', { container: { stdin: true, tty: true } }),
];

class Running {
  readonly child: ChildProcess;
  out = '';
  err = '';
  readonly #watchers = new Set<() => void>();

  constructor(args: readonly string[], home: string) {
    this.child = spawn(process.execPath, [PLUMB, ...args], { env: { ...process.env, PLUMB_HOME: home } });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.out += chunk.toString();
      for (const look of this.#watchers) look();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk.toString();
      for (const look of this.#watchers) look();
    });
  }

  /** Resolves when what was printed matches. */
  until(wanted: RegExp): Promise<RegExpExecArray> {
    const matched = new Promise<RegExpExecArray>((resolve) => {
      const look = (): void => {
        const found = wanted.exec(`${this.out}${this.err}`);
        if (found) resolve(found);
      };
      this.#watchers.add(look);
      look();
    });
    return inTime(String(wanted), 20_000, matched).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${this.out} ${this.err}`);
    });
  }

  async ended(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return this.child.exitCode;
  }
}

describe('streams into pods', { timeout: 600_000 }, () => {
  let bench: ExecBench;
  let terminal: Terminal | undefined;
  const running: Running[] = [];
  const start = (...args: string[]): Running => {
    const made = new Running(args, bench.home);
    running.push(made);
    return made;
  };

  before(async () => {
    buildCli();
    bench = await execBench(PODS);
  });
  after(async () => {
    await bench?.close();
  });
  afterEach(async () => {
    await terminal?.close();
    terminal = undefined;
    for (const one of running.splice(0)) {
      one.child.kill('SIGKILL');
      await one.ended();
    }
  });

  function answer(port: string, path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
        });
        response.on('end', () => resolve(length));
        response.on('error', reject);
      }).on('error', reject);
    });
  }

  describe('port-forward', () => {
    it('joins a port here to one on the loopback address of the pod, many times at once', async () => {
      const forward = start('port-forward', 'web', ':8080');
      const [, port = ''] = await forward.until(/Forwarding from 127\.0\.0\.1:(\d+) -> 8080/);
      assert.deepEqual(
        await Promise.all(Array.from({ length: 8 }, () => answer(port, '/large'))),
        Array.from({ length: 8 }, () => LARGE),
      );
      forward.child.kill('SIGINT');
      assert.equal(await forward.ended(), 0);
      await assert.rejects(answer(port, '/large'), { code: 'ECONNREFUSED' });
    });

    it('finds the pod and its port behind a Service', async () => {
      const service: Service = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'default' },
        spec: {
          type: 'ClusterIP',
          clusterIP: '198.18.255.9',
          selector: { app: 'web' },
          ports: [{ name: 'plain', port: 80, targetPort: 'http', protocol: 'TCP' }],
        },
      } as unknown as Service;
      await bench.writer.submit([{ do: 'create', object: service }], 'test', new AbortController().signal);
      const forward = start('port-forward', 'svc/web', ':plain');
      const [, port = ''] = await forward.until(/Forwarding from 127\.0\.0\.1:(\d+) -> 8080/);
      assert.equal(await answer(port, '/large'), LARGE);
    });

    it('says when nobody listens there, ends that connection, and goes on', async () => {
      const forward = start('port-forward', 'web', ':81', ':8080');
      const [, closed = ''] = await forward.until(/127\.0\.0\.1:(\d+) -> 81/);
      const socket = connect(Number(closed), '127.0.0.1');
      socket.resume();
      await once(socket, 'close');
      await forward.until(/connection to port 81: .*refused/);
      const [, port = ''] = await forward.until(/127\.0\.0\.1:(\d+) -> 8080/);
      assert.equal(await answer(port, '/large'), LARGE);
    });

    it('ends with 1 where the port is taken, and 2 for what is no port, and for no address', async () => {
      const forward = start('port-forward', 'web', ':8080');
      const [, port = ''] = await forward.until(/127\.0\.0\.1:(\d+) -> 8080/);
      const second = start('port-forward', 'web', '--address', '127.0.0.1', `${port}:8080`);
      assert.equal(await second.ended(), 1);
      assert.match(second.err, new RegExp(`port ${port} cannot be listened on at 127.0.0.1: .*EADDRINUSE`));
      assert.equal(await start('port-forward', 'web', 'a:8080').ended(), 2);
      assert.equal(await start('port-forward', 'web', ':8080', '--address', ',').ended(), 2);
    });
  });

  describe('port-forward, when its pod is gone', () => {
    it('ends with 1', async () => {
      const signal = new AbortController().signal;
      const forward = start('port-forward', 'doomed', ':8080');
      const [, port = ''] = await forward.until(/127\.0\.0\.1:(\d+) -> 8080/);
      const shown = start('get', 'pod', 'doomed', '-o', 'json');
      await shown.ended();
      const { uid } = (JSON.parse(shown.out) as Pod).metadata;
      assert.ok(uid);
      await bench.writer.submit([{ do: 'delete', key: 'pods/default/doomed', uid, gone: true }], 'test', signal);
      const socket = connect(Number(port), '127.0.0.1');
      socket.resume();
      await once(socket, 'close');
      assert.equal(await forward.ended(), 1);
      assert.match(forward.err, /pod default\/doomed is gone/);
    });
  });

  describe('attach', () => {
    it("shows a container's output and errors, and gives it input, which ends when this ends", async () => {
      const attached = start('attach', '-i', 'echo');
      attached.child.stdin?.write('one\n');
      await attached.until(/out one[\s\S]*err one/);
      assert.match(attached.out, /^out one\n/);
      assert.match(attached.err, /err one\n/);
      attached.child.stdin?.end('two\n');
      await attached.until(/over/);
      assert.equal(await attached.ended(), 0);
      assert.doesNotMatch(attached.out, /started/);
    });

    it('only looks on where no input is asked for', async () => {
      const attached = start('attach', 'shell');
      const typed = start('attach', '-i', 'shell');
      // What was printed before it was attached it is not shown, and it does not say when it is.
      const typing = setInterval(() => typed.child.stdin?.write('echo se"en" by all\n'), 200);
      try {
        await attached.until(/seen by all/);
      } finally {
        clearInterval(typing);
      }
    });

    it('is the terminal of a container that has one', async () => {
      terminal = await openTerminal('"$NODE" "$PLUMB" attach -it shell; echo "exit code $?"', {
        NODE: process.execPath,
        PLUMB,
        PLUMB_HOME: bench.home,
      });
      // Its size is told beside the keys, which are typed before.
      terminal.type('until [ "$(stty size)" = "40 100" ]; do :; done; tty; stty size\r');
      await terminal.until(/\/dev\/pts\/\d+\s+40 100/);
      terminal.type('exit\r');
      await terminal.until(/exit code 0/);
    });

    it('says what the container does not have', async () => {
      const attached = start('attach', '-it', 'tool');
      await attached.until(/container main has no terminal[\s\S]*takes no input/);
      assert.equal(await start('attach', 'tool', '-c', 'none').ended(), 1);
      assert.equal(await start('attach', 'nothing').ended(), 1);
    });
  });

  describe('cp', () => {
    let dir: string;
    beforeEach(() => {
      dir = makeFolder('plumb-cp-');
    });
    afterEach(() => rmSync(dir, { recursive: true, force: true }));

    async function cp(...args: readonly string[]): Promise<{ readonly code: number | null; readonly err: string }> {
      const copying = start('cp', ...args);
      return { code: await copying.ended(), err: copying.err };
    }
    async function inContainer(script: string): Promise<string> {
      const ran = start('exec', 'files', '--', 'sh', '-c', script);
      assert.equal(await ran.ended(), 0, ran.err);
      return ran.out;
    }

    it('brings a folder there and back as it was, whatever its size and its names', async () => {
      const deep = `tree/${'a-folder-with-a-long-name/'.repeat(6)}file`;
      mkdirSync(join(dir, deep, '..'), { recursive: true });
      writeFileSync(join(dir, deep), 'deep');
      writeFileSync(join(dir, 'tree/large'), randomBytes(20_000_000));
      writeFileSync(join(dir, 'tree/-rf *'), '');
      assert.deepEqual(await cp(join(dir, 'tree'), 'files:/tmp/there'), { code: 0, err: '' });
      assert.deepEqual(await cp('default/files:/tmp/there', join(dir, 'back')), { code: 0, err: '' });
      assert.equal(execFileSync('diff', ['-r', 'tree', 'back'], { cwd: dir }).toString(), '');
    });

    it('puts a file into a folder that is there, under its own name or another', async () => {
      writeFileSync(join(dir, 'one'), 'hello');
      await inContainer('mkdir -p /tmp/folder');
      assert.equal((await cp(join(dir, 'one'), 'files:/tmp/folder')).code, 0);
      assert.equal((await cp('--no-preserve', join(dir, 'one'), 'files:/tmp/folder/two')).code, 0);
      assert.equal(await inContainer('cat /tmp/folder/one /tmp/folder/two'), 'hellohello');
      assert.equal((await cp('files:/tmp/folder/two', dir)).code, 0);
      assert.equal(readFileSync(join(dir, 'two'), 'utf8'), 'hello');
    });

    it('leaves links of the container out, and says so', async () => {
      await inContainer('mkdir -p /tmp/links; ln -sf /etc/passwd /tmp/links/to; echo ok > /tmp/links/file');
      const { code, err } = await cp('files:/tmp/links', join(dir, 'links'));
      assert.equal(code, 0);
      assert.match(err, /links\/to was left out: it is a link to \/etc\/passwd/);
      assert.deepEqual(readdirSync(join(dir, 'links')), ['file']);
    });

    it('says why nothing was copied', async () => {
      writeFileSync(join(dir, 'file'), 'x');
      const cases: readonly [readonly string[], number, RegExp][] = [
        [['tool:/etc/passwd', dir], 1, /executable file not found[\s\S]*the container needs a program `tar`/],
        [['files:/nothing', dir], 1, /No such file[\s\S]*error: files:\/nothing: tar ended with 1/],
        [[join(dir, 'nothing'), 'files:/tmp'], 1, /there is no .*nothing on this machine/],
        [[join(dir, 'file'), 'files:/no/such/folder'], 1, /error: files:\/no\/such\/folder: tar ended with 1/],
        [['files:/etc/passwd', '/proc/no/such/folder'], 1, /error: .*ENOENT/],
        [[join(dir, 'file'), 'nothing:/tmp'], 1, /pods "nothing" not found/],
        [[join(dir, 'file'), dir], 2, /one of the two must be in a container/],
      ];
      for (const [args, code, err] of cases) {
        const ran = await cp(...args);
        assert.equal(ran.code, code, args.join(' '));
        assert.match(ran.err, err);
      }
    });
  });
});
