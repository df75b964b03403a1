/** Sessions with a container, in frames, as the CLI joins them to streams. */
import assert from 'node:assert/strict';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { EXEC_CHANNEL } from '../../../contracts/agent/index.ts';
import { execFrame, execFrameReader } from '../../../contracts/agent/exec-frames.ts';
import { runSession } from '../../../cli/container-session.ts';

const RESULT = execFrame(EXEC_CHANNEL.result, Buffer.from('{"exitCode":4}'));

describe('a session', () => {
  let near: Socket;
  let far: Socket;
  const server = createServer({ allowHalfOpen: true });
  beforeEach(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    near = connect((server.address() as AddressInfo).port, '127.0.0.1');
    [far] = await accepted;
  });
  afterEach(async () => {
    near.destroy();
    far.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('carries input, its end, and both outputs, up to the result', async () => {
    const heard: [number, string][] = [];
    far.on(
      'data',
      execFrameReader((channel, payload) => {
        heard.push([channel, payload.toString()]);
        if (payload.length > 0) return;
        for (const [to, text] of [
          [EXEC_CHANNEL.stdout, 'out'],
          [EXEC_CHANNEL.stderr, 'err'],
        ] as const)
          far.write(execFrame(to, Buffer.from(text)));
        far.write(RESULT);
      }),
    );
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const result = await runSession(near, { stdin: Readable.from([Buffer.from('in')]), stdout, stderr });
    assert.deepEqual(result, { exitCode: 4 });
    assert.deepEqual(heard, [
      [EXEC_CHANNEL.stdin, 'in'],
      [EXEC_CHANNEL.stdin, ''],
    ]);
    assert.deepEqual([String(stdout.read()), String(stderr.read())], ['out', 'err']);
  });

  it('makes whoever sends wait for a reader that is slow, and holds nothing back from it', async () => {
    const frames = 2_000;
    const chunk = Buffer.alloc(4_096, 'x');
    let taken = 0;
    let most = 0;
    const stdout: Writable = new Writable({
      highWaterMark: 1_000,
      write(bytes: Buffer, _encoding, done) {
        taken += bytes.length;
        most = Math.max(most, stdout.writableLength);
        setImmediate(done);
      },
    });
    for (let sent = 0; sent < frames; sent += 1) far.write(execFrame(EXEC_CHANNEL.stdout, chunk));
    far.write(RESULT);
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    await runSession(near, { stdout });
    stdout.end();
    await once(stdout, 'finish');
    process.off('warning', note);
    assert.equal(taken, frames * chunk.length);
    assert.ok(most < 1_000_000, `${most} bytes waited`);
    assert.deepEqual(warnings, []);
  });

  it('goes on to its result when the reader went away', async () => {
    const stdout = new PassThrough({ highWaterMark: 10 });
    const ended = runSession(near, { stdout });
    far.write(execFrame(EXEC_CHANNEL.stdout, Buffer.alloc(100_000)));
    stdout.once('readable', () => stdout.destroy());
    stdout.once('close', () => {
      far.write(execFrame(EXEC_CHANNEL.stdout, Buffer.alloc(100_000)));
      far.write(RESULT);
    });
    assert.deepEqual(await ended, { exitCode: 4 });
  });

  it('says when it was cut off, or is none', async () => {
    const cut = runSession(near, { stdout: new PassThrough() });
    far.destroy();
    await assert.rejects(cut, { exitCode: 1, message: /ended before the command did/ });
  });

  it('is left when it is out of step', async () => {
    const ended = runSession(near, { stdout: new PassThrough() });
    far.write(Buffer.from([1, 0xff, 0xff, 0xff, 0xff, 0]));
    await assert.rejects(ended, { exitCode: 1, message: /out of step/ });
  });
});
