/** `plumb exec` in a real container, from a real terminal and from pipes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, afterEach, before, describe, it } from 'node:test';
import { EXEC_CHANNEL, EXEC_UPGRADE } from '../../../contracts/agent/index.ts';
import { execFrame, execFrameReader } from '../../../contracts/agent/exec-frames.ts';
import { controlPlane } from '../../../cli/control-plane.ts';
import { buildCli, PLUMB } from '../../support/built-cli.ts';
import { CTRL_C, openTerminal, type Terminal } from '../../support/terminal.ts';
import { execBench, type ExecBench } from './exec-bench.ts';

describe('plumb exec', { timeout: 600_000 }, () => {
  let bench: ExecBench;
  let terminal: Terminal | undefined;
  before(async () => {
    buildCli();
    bench = await execBench();
  });
  after(async () => {
    await bench?.close();
  });
  afterEach(async () => {
    await terminal?.close();
    terminal = undefined;
  });

  /**
   * `plumb exec FLAGS tool -- sh -c SCRIPT` on a terminal that then shows the exit code, and whether its settings are
   * what they were.
   */
  async function onTerminal(flags: string, script: string): Promise<Terminal> {
    terminal = await openTerminal(
      'trap : INT; before=$(stty -g); "$NODE" "$PLUMB" exec $FLAGS tool -- sh -c "$SCRIPT"; echo "exit code $?"; [ "$(stty -g)" = "$before" ] && echo restored; exit 0',
      { NODE: process.execPath, PLUMB, PLUMB_HOME: bench.home, FLAGS: flags, SCRIPT: script },
    );
    return terminal;
  }

  async function piped(
    flags: readonly string[],
    script: string,
    input?: Buffer,
  ): Promise<{ readonly code: number | null; readonly out: Buffer; readonly err: string }> {
    const child = spawn(process.execPath, [PLUMB, 'exec', ...flags, 'tool', '--', 'sh', '-c', script], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, PLUMB_HOME: bench.home },
    });
    const out: Buffer[] = [];
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.stdin.on('error', () => undefined).end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, out: Buffer.concat(out), err };
  }

  const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

  describe('on a terminal', () => {
    it('gives the command a terminal of its own, and ends with its exit code', async () => {
      const t = await onTerminal('-it', 'busybox tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && exit 7');
      await t.until(/^\/dev\/pts\/\d+\s+exit code 7\r\nrestored\r\n/);
      assert.equal(await t.ended(), 0);
    });

    it('gives the window its size, and tells of a new one', async () => {
      const t = await onTerminal(
        '-it',
        'until [ "$(stty size)" = "40 100" ]; do :; done; trap "stty size" WINCH; echo sized; while :; do sleep 100 & wait $!; done',
      );
      await t.until(/sized/);
      t.resize(50, 132);
      await t.until(/\b50 132\b/);
      t.resize(24, 80);
      await t.until(/\b24 80\b/);
    });

    it('passes keys as they are typed: lines, Ctrl-C to the program and not to plumb, the end of the shell', async () => {
      const t = await onTerminal(
        '-it',
        'trap "echo interrupted; seen=1" INT; echo ready; read line; echo "read:$line"; until [ "$seen" ]; do sleep 1; done; exec sh',
      );
      await t.until(/ready/);
      t.type('a line\r');
      await t.until(/read:a line/);
      t.type(CTRL_C);
      await t.until(/interrupted/);
      await t.until(/# /);
      t.type('exit 9\r');
      await t.until(/exit code 9\r\nrestored/);
    });

    it('ends a program that Ctrl-C ends', async () => {
      const t = await onTerminal('-it', 'echo ready; exec sleep 100');
      await t.until(/ready/);
      t.type(CTRL_C);
      await t.until(/exit code 130\r\nrestored/);
    });

    it('shows every byte as the program wrote it', async () => {
      const t = await onTerminal('-it', 'stty -opost; printf "one\\ntwo\\r\\n"');
      await t.until(/^one\ntwo\r\nexit code 0/);
    });

    it('-t without -i gives the output a terminal, and leaves the keys to the one at hand', async () => {
      const t = await onTerminal(
        '-t',
        '[ -t 1 ] && until [ "$(stty -F /dev/tty size)" = "40 100" ]; do :; done; echo sized; exec sleep 100',
      );
      await t.until(/sized/);
      t.type(CTRL_C);
      await t.until(/exit code 130\r\nrestored/);
    });

    it('leaves the terminal as it was when it is ended, and when the connection to the node is lost', async () => {
      const ended = await onTerminal('-it', 'echo ready; exec sleep 100');
      await ended.until(/ready/);
      process.kill(ended.find(PLUMB), 'SIGTERM');
      await ended.until(/exit code 143\r\nrestored/);
      await ended.close();
      const lost = await onTerminal('-it', 'echo ready; exec sleep 100');
      await lost.until(/ready/);
      bench.sshd.dropConnections();
      await lost.until(
        /error: the connection to the node ended before the command did\r\n.*\r\nexit code 1\r\nrestored/,
      );
      await bench.reconnect();
    });
  });

  describe('with pipes', () => {
    it('carries bytes both ways unchanged, and ends with the input', async () => {
      const bytes = randomBytes(700_001);
      const { code, out, err } = await piped(['-i'], 'cat', bytes);
      assert.deepEqual([code, err, out.length, hash(out)], [0, '', bytes.length, hash(bytes)]);
    });

    it('carries more than any buffer holds to a slow reader, and from a slow writer', async () => {
      const bytes = randomBytes(24_000_000);
      const { code, out, err } = await piped(['-i'], 'sleep 1; busybox sha256sum', bytes);
      assert.deepEqual([code, err, out.toString()], [0, '', `${hash(bytes)}  -\n`]);
    });

    it('keeps output and errors apart, without input where none was asked for', async () => {
      const { code, out, err } = await piped(
        [],
        'cat; echo out; echo err >&2; [ -t 1 ] || exit 3',
        Buffer.from('not asked for'),
      );
      assert.deepEqual([code, out.toString(), err], [3, 'out\n', 'err\n']);
    });

    it('ends quietly when nobody reads on', async () => {
      const child = spawn('sh', ['-c', '"$NODE" "$PLUMB" exec tool -- seq 1 1000000 | head -n 1'], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, NODE: process.execPath, PLUMB, PLUMB_HOME: bench.home },
      });
      let said = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => {
          said += chunk.toString();
        });
      await once(child, 'close');
      assert.equal(said, '1\n');
    });

    it('goes on for others after a client that sends more behind the end of its input', async () => {
      const socket = await controlPlane(bench.home).upgrade(
        '/api/v1/namespaces/default/pods/tool/exec?stdin=true&command=cat',
        EXEC_UPGRADE,
      );
      const result = new Promise<string>((resolve, reject) => {
        socket.on(
          'data',
          execFrameReader((channel, payload) => {
            if (channel === EXEC_CHANNEL.result) resolve(payload.toString());
          }),
        );
        socket.once('close', () => reject(new Error('the connection ended')));
      });
      socket.write(Buffer.concat(['one', '', 'two'].map((text) => execFrame(EXEC_CHANNEL.stdin, Buffer.from(text)))));
      assert.equal(await result, '{"exitCode":0}');
      socket.destroy();
      assert.equal((await piped([], 'echo well')).out.toString(), 'well\n');
    });

    it('-t without a terminal at hand gives the command one all the same, and says that', async () => {
      const { code, out, err } = await piped(['-t'], 'busybox tty; exit 4');
      assert.equal(code, 4);
      assert.match(out.toString(), /^\/dev\/pts\/\d+\r\n$/);
      assert.equal(err, 'note: this is no terminal, so -t only affects the container\n');
    });
  });
});
