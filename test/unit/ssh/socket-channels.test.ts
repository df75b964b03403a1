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
    openssh_forwardOutStreamLocal: (_socket: string, opened: (error: Error) => void) => { opened(new Error('administratively prohibited')); },
    exec: (_command: string, opened: (error: undefined, channel: ClientChannel) => void) => {
      const channel = new Channel();
      opened(undefined, channel as Duplex as ClientChannel);
      channel.emit('exit', code);
    },
  };
  return partial as unknown as Client;
}

describe('a bridge to the agent', () => {
  it('that ends as it starts is told to who asked, and to nobody else', async () => {
    const channels = new SocketChannels(clientWhoseBridgeEndsAtOnce(69), new SessionSlots({ total: 4, streams: 2 }), '/usr/bin/node');
    await assert.rejects(channels.open('/run/agent.sock', false, AbortSignal.timeout(5000)), /nothing answers on \/run\/agent.sock: the bridge ended with code 69; is the agent running\?/);
    // An error that nobody listens to would end the process in the next turn.
    await new Promise((resolve) => { setImmediate(resolve); });
  });
});
