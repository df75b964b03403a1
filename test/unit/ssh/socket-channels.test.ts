/** Moments that a real sshd gives only now and then: what arrives in one packet. */
import assert from 'node:assert/strict';
import { Duplex, PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import type { Client, ClientChannel } from 'ssh2';
import { SessionSlots } from '../../../reconciler/adapters/ssh/session-slots.ts';
import { SocketChannels } from '../../../reconciler/adapters/ssh/socket-channels.ts';

class Channel extends Duplex {
  readonly stderr = new PassThrough();
  override _read(): void {
    // Nothing comes.
  }
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }
}

/** Forwarding is off; a bridge starts and ends with the code in the same packet. */
function clientWhoseBridgeEndsAtOnce(code: number): Client {
  const partial = {
    openssh_forwardOutStreamLocal: (_socket: string, opened: (error: Error) => void) => {
      opened(new Error('administratively prohibited'));
    },
    exec: (_command: string, opened: (error: undefined, channel: ClientChannel) => void) => {
      const channel = new Channel();
      opened(undefined, channel as Duplex as ClientChannel);
      channel.emit('exit', code);
    },
  };
  return partial as unknown as Client;
}

/** Counts processes; `listens` and `forwards` say what sshd finds. Bridges say a word. */
function sshd(): { readonly client: Client; forwards: boolean; listens: boolean; bridges: number } {
  const state = { forwards: true, listens: true, bridges: 0 };
  const partial = {
    openssh_forwardOutStreamLocal: (
      _socket: string,
      opened: (error: Error | undefined, channel?: ClientChannel) => void,
    ) => {
      if (state.forwards && state.listens) opened(undefined, new Channel() as Duplex as ClientChannel);
      else opened(new Error('open failed'));
    },
    exec: (_command: string, opened: (error: undefined, channel: ClientChannel) => void) => {
      state.bridges += 1;
      // It takes a while to start: the agent listens by then.
      state.listens = true;
      const channel = new Channel();
      opened(undefined, channel as Duplex as ClientChannel);
      channel.push('hello');
    },
  };
  return Object.assign(state, { client: partial as unknown as Client });
}

describe('the way to the agent', () => {
  const open = async (channels: SocketChannels): Promise<Duplex> => {
    const stream = await channels.open('/run/agent.sock', false, new AbortController().signal);
    stream.resume();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    return stream;
  };

  it('goes over channels as soon as the agent listens, though it did not at first', async () => {
    const far = sshd();
    far.listens = false;
    const channels = new SocketChannels(far.client, new SessionSlots({ total: 9, streams: 5 }), '/usr/bin/node');
    const first = await open(channels);
    assert.equal(channels.isLasting(first), false, 'its process ends with its request');
    const later = [await open(channels), await open(channels)];
    assert.equal(far.bridges, 1);
    assert.ok(later.every((stream) => channels.isLasting(stream)));
  });

  it('stays with bridges where sshd forwards nothing, and keeps them', async () => {
    const far = sshd();
    far.forwards = false;
    const channels = new SocketChannels(far.client, new SessionSlots({ total: 9, streams: 5 }), '/usr/bin/node');
    const streams = [await open(channels), await open(channels), await open(channels), await open(channels)];
    assert.equal(far.bridges, 4);
    assert.ok(streams.every((stream) => channels.isLasting(stream)));
  });
});

describe('a bridge to the agent', () => {
  it('that ends as it starts is told to who asked, and to nobody else', async () => {
    const channels = new SocketChannels(
      clientWhoseBridgeEndsAtOnce(69),
      new SessionSlots({ total: 4, streams: 2 }),
      '/usr/bin/node',
    );
    await assert.rejects(
      channels.open('/run/agent.sock', false, AbortSignal.timeout(5000)),
      /nothing answers on \/run\/agent.sock: the bridge ended with code 69; is the agent running\?/,
    );
    // An error that nobody listens to would end the process in the next turn.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  });
});
