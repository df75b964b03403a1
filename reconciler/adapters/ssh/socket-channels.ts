/**
 * Ways from this connection to a Unix socket on the node: a stream channel, or a bridge process where sshd refuses
 * those.
 */
import type { Duplex } from 'node:stream';
import type { Client, ClientChannel } from 'ssh2';
import { RetryableError } from '../../core/errors.ts';
import { ChannelStream } from './channel-stream.ts';
import { openChannel } from './open-channel.ts';
import { shellCommand } from './quote.ts';
import type { SessionSlots } from './session-slots.ts';

/**
 * Exit code of the bridge for "nothing listens there" and "no program to bridge with". Source: sysexits.h,
 * EX_UNAVAILABLE.
 */
const UNAVAILABLE = 69;
const NODE_BRIDGE =
  "const s=require('net').connect({path:process.argv[1],allowHalfOpen:true});" +
  `s.on('error',e=>{process.stderr.write(String(e.message));process.exit(${UNAVAILABLE})});process.stdin.pipe(s).pipe(process.stdout);`;
/** Bridges answered although a channel was refused just before, until forwarding counts as off. */
const CONTRADICTIONS = 3;
/** $1: the socket. $2: a Node.js runtime. $3: its script. */
const BRIDGE = `
if command -v socat >/dev/null 2>&1; then exec socat -t 60 - "UNIX-CONNECT:$1"; fi
if [ -x "$2" ]; then exec "$2" -e "$3" "$1"; fi
if command -v nc >/dev/null 2>&1; then exec nc -U "$1"; fi
echo 'no socat, node or nc to bridge with' >&2; exit ${UNAVAILABLE}`;

export class SocketChannels {
  readonly #client: Client;
  readonly #slots: SessionSlots;
  readonly #bridgeRuntime: string;
  /**
   * OpenSSH gives the same answer for "forwarding is off" and "nobody listens". So a bridge that is answered after a
   * channel was refused says little: the agent may have come up in between. Only when that happened several times in a
   * row does the connection stay with bridges, which cost a process on the node each.
   */
  #way: 'unknown' | 'channel' | 'bridge' = 'unknown';
  #contradictions = 0;
  readonly #bridges = new WeakSet<Duplex>();

  constructor(client: Client, slots: SessionSlots, bridgeRuntime: string) {
    this.#client = client;
    this.#slots = slots;
    this.#bridgeRuntime = bridgeRuntime;
  }

  /** A stream to `socket`; `endless` when nobody knows when it will end. Throws RetryableError `AgentUnreachable`. */
  async open(socket: string, endless: boolean, signal: AbortSignal): Promise<ChannelStream> {
    signal.throwIfAborted();
    if (this.#way === 'bridge') return this.#bridge(socket, endless, signal);
    try {
      const stream = await openChannel(
        (opened) => this.#client.openssh_forwardOutStreamLocal(socket, opened),
        (channel) => new ChannelStream(channel),
        signal,
      );
      this.#way = 'channel';
      return stream;
    } catch (refused) {
      signal.throwIfAborted();
      if (this.#way === 'channel') throw unreachable(socket, refused);
    }
    const stream = await this.#bridge(socket, endless, signal);
    stream.once('readable', () => {
      if (stream.readableLength === 0 || this.#way !== 'unknown') return;
      this.#contradictions += 1;
      if (this.#contradictions >= CONTRADICTIONS) this.#way = 'bridge';
    });
    return stream;
  }

  /** Whether a stream may be kept for later requests: not a bridge that a channel may still take the place of. */
  isLasting(stream: Duplex): boolean {
    return this.#way === 'bridge' || !this.#bridges.has(stream);
  }

  async #bridge(socket: string, endless: boolean, signal: AbortSignal): Promise<ChannelStream> {
    const free = endless ? await this.#slots.takeForStream(signal) : await this.#slots.take(signal);
    const argv = ['sh', '-c', BRIDGE, 'sh', socket, this.#bridgeRuntime, NODE_BRIDGE];
    try {
      const stream = await openChannel(
        (opened) => this.#client.exec(shellCommand(argv), opened),
        (channel) => bridged(channel, socket),
        signal,
        free,
      );
      if (stream.errored) throw stream.errored;
      this.#bridges.add(stream);
      return stream;
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof RetryableError ? error : unreachable(socket, error);
    }
  }
}

/** The bridge's two ends as a stream that fails with the bridge's own words. */
function bridged(channel: ClientChannel, socket: string): ChannelStream {
  const stream = new ChannelStream(channel);
  // It may end in the same packet that opened it, before anybody listens.
  stream.on('error', () => undefined);
  const complaint: Buffer[] = [];
  channel.stderr.on('data', (chunk: Buffer) => complaint.push(chunk));
  channel.once('exit', (code: number | null) => {
    if (code !== 0)
      stream.destroy(
        unreachable(
          socket,
          new Error(Buffer.concat(complaint).toString().trim() || `the bridge ended with code ${code}`),
        ),
      );
  });
  return stream;
}

function unreachable(socket: string, cause: unknown): RetryableError {
  return new RetryableError(
    'AgentUnreachable',
    `nothing answers on ${socket}: ${(cause as Error).message}; is the agent running?`,
    { cause },
  );
}
