/** Commands and files over sessions of one connection. */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client, ClientChannel } from 'ssh2';
import { unlessAborted } from '../../../contracts/signals.ts';
import { RetryableError } from '../../core/errors.ts';
import type { CommandResult } from '../../ports/node-transport.ts';
import { discard, openChannel } from './open-channel.ts';
import { shellCommand } from './quote.ts';
import type { SessionSlots } from './session-slots.ts';

/** Both outputs of a command together, bytes. */
const KEPT_OUTPUT = 1024 * 1024;

/** $1: folder. $2: the file. $3: temporary name. $4: octal mode. A failed upload leaves nothing. */
const RECEIVE = `umask 077; mkdir -p "$1" && cat > "$3" && chmod "$4" "$3" && mv -f "$3" "$2" || { code=$?; rm -f "$3"; exit $code; }`;

/** A command that sshd has begun. */
interface Started {
  readonly channel: ClientChannel;
  /** How it ended, once it told. */
  readonly exit: () => { readonly code: number | null; readonly signal?: string } | undefined;
  readonly closed: Promise<void>;
}

/**
 * Listens from the first moment: a short command's exit may come in the same packet as the answer that it was begun.
 */
function follow(channel: ClientChannel): Started {
  let exit: ReturnType<Started['exit']>;
  channel.once('exit', (code: number | null, name?: string) => {
    exit = { code, ...(name && { signal: name }) };
  });
  return { channel, exit: () => exit, closed: new Promise((resolve) => channel.once('close', () => resolve())) };
}

export class Commands {
  readonly #client: Client;
  readonly #slots: SessionSlots;
  readonly #where: string;
  #uploads = 0;

  constructor(client: Client, slots: SessionSlots, where: string) {
    this.#client = client;
    this.#slots = slots;
    this.#where = where;
  }

  /**
   * RetryableError `ConnectionLost` when the connection ends before the command; on abort its input and outputs are
   * closed.
   */
  async run(
    argv: readonly string[],
    stdin: string | Buffer | Readable | undefined,
    signal: AbortSignal,
  ): Promise<CommandResult> {
    return this.#session(await this.#exec(shellCommand(argv), false, signal), stdin, signal);
  }

  /** RetryableError `UploadFailed` with the node's words (disk full, read-only). */
  async upload(path: string, content: Buffer | Readable, mode: number, signal: AbortSignal): Promise<void> {
    this.#uploads += 1;
    const folder = path.slice(0, path.lastIndexOf('/')) || '/';
    const temporary = `${path}.upload-${process.pid}-${this.#uploads}`;
    const result = await this.run(
      ['sh', '-c', RECEIVE, 'sh', folder, path, temporary, mode.toString(8)],
      content,
      signal,
    );
    if (result.code !== 0)
      throw new RetryableError(
        'UploadFailed',
        `${this.#where}: cannot write ${path}: ${result.stderr.trim() || `exit code ${result.code}`}`,
      );
  }

  /**
   * sshd leaves Nagle's algorithm on until a session with a terminal was opened; small answers then wait for
   * acknowledgements (about 40 ms each). Source: OpenSSH session.c, set_nodelay in session_pty_req.
   */
  async turnNagleOff(signal: AbortSignal): Promise<void> {
    await this.#session(await this.#exec('true', true, signal), undefined, signal);
  }

  async #exec(command: string, pty: boolean, signal: AbortSignal): Promise<Started> {
    // sshd counts the session until the program has ended, also when nobody waits for it any more.
    const free = await this.#slots.take(signal);
    try {
      return await openChannel((opened) => this.#client.exec(command, { pty }, opened), follow, signal, free);
    } catch (cause) {
      signal.throwIfAborted();
      throw new RetryableError(
        'ConnectionLost',
        `${this.#where}: cannot start a command: ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  async #session(
    { channel, exit, closed }: Started,
    stdin: string | Buffer | Readable | undefined,
    signal: AbortSignal,
  ): Promise<CommandResult> {
    const kept = new KeptOutput(KEPT_OUTPUT);
    channel.on('data', (chunk: Buffer) => kept.add('stdout', chunk));
    channel.stderr.on('data', (chunk: Buffer) => kept.add('stderr', chunk));
    // A source that fails must not look like an end of input.
    const fed = feed(channel, stdin).catch((error: unknown) => {
      if (exit() === undefined && channel.writable) throw error;
    });
    try {
      await unlessAborted(signal, Promise.all([closed, fed]));
    } catch (error) {
      discard(channel);
      throw error;
    }
    const end = exit();
    if (end === undefined)
      throw new RetryableError('ConnectionLost', `${this.#where}: the connection was lost while a command ran`);
    // Killed by a signal: as a shell reports it, 128 and up.
    return {
      code: end.code ?? 128,
      stdout: kept.text('stdout'),
      stderr: kept.text('stderr') || (end.signal ? `killed by ${end.signal}` : ''),
    };
  }
}

async function feed(channel: ClientChannel, stdin: string | Buffer | Readable | undefined): Promise<void> {
  if (stdin === undefined || typeof stdin === 'string' || Buffer.isBuffer(stdin)) channel.end(stdin);
  else await pipeline(stdin, channel as NodeJS.WritableStream);
}

/** Keeps the first bytes of two outputs under one common bound; the rest is read and dropped. */
class KeptOutput {
  readonly #chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  add(name: 'stdout' | 'stderr', chunk: Buffer): void {
    const part = chunk.subarray(0, this.#left);
    this.#left -= part.length;
    if (part.length > 0) this.#chunks[name].push(part);
  }

  text(name: 'stdout' | 'stderr'): string {
    return Buffer.concat(this.#chunks[name]).toString('utf8');
  }
}
