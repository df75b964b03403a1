/** Opening a channel: waits no longer than its caller, and loses track of none. */
import type { ClientChannel } from 'ssh2';
import { onAbort } from '../../../contracts/signals.ts';

type Opened = (error: Error | undefined, channel?: ClientChannel) => void;

/**
 * What `begin` makes of the channel that `ask` asks for; `begin` is called at once, so that it hears the channel's
 * first packet. Rejects as ssh2 does, or with the signal's reason; a channel that comes after that is closed again.
 * `over` is called once, however long after: when the channel has closed, or will never open.
 */
export async function openChannel<T>(
  ask: (opened: Opened) => void,
  begin: (channel: ClientChannel) => T,
  signal: AbortSignal,
  over: () => void = () => undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      over();
      reject(signal.reason as Error);
      return;
    }
    const letGo = onAbort(signal, () => {
      letGo();
      reject(signal.reason as Error);
    });
    const opened: Opened = (error, channel) => {
      letGo();
      if (error || !channel) {
        over();
        reject(error ?? new Error('no channel was opened'));
        return;
      }
      channel.once('close', over);
      if (signal.aborted) discard(channel);
      else resolve(begin(channel));
    };
    try {
      ask(opened);
    } catch (closed) {
      opened(closed as Error);
    }
  });
}

/** Closes a channel that nobody reads, and ends its command if it runs one. */
export function discard(channel: ClientChannel): void {
  // sshd passes signals on only where it separates privileges; closed pipes end the others.
  channel.signal('KILL');
  // Unread, it would never see the far side's close.
  channel.resume();
  channel.destroy();
}
