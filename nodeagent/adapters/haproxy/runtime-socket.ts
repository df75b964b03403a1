/** Questions to HAProxy's runtime API. Source: HAProxy 2.6 management guide, 9.3 (Unix socket commands). */
import { connect } from 'node:net';

/** The socket takes a command line of one buffer (16 KiB). */
const LONGEST_LINE = 8 * 1024;
const MOST_ANSWER = 64 * 1024 * 1024;

/** One connection, one line; resolves with all that is answered. */
export function ask(socket: string, line: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const connection = connect({ path: socket, signal });
    const parts: Buffer[] = [];
    let size = 0;
    connection.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MOST_ANSWER) connection.destroy(new Error('the proxy answers without an end'));
      else parts.push(chunk);
    });
    connection.once('error', reject);
    connection.once('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    // The master's socket answers for as long as more may be asked.
    connection.end(`${line}\n`);
  });
}

/** Commands as lines that the socket takes, each with `first` before them. */
export function commandLines(first: string, commands: readonly string[]): string[] {
  const lines: string[] = [];
  let line = first;
  for (const command of commands) {
    if (line.length + command.length > LONGEST_LINE) {
      lines.push(line);
      line = first;
    }
    line += `;${command}`;
  }
  return line === first ? lines : [...lines, line];
}
