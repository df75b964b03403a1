/** Questions to BIRD's control socket. Source: BIRD 2.0 programmer's documentation, "Command line interface". */
import { connect } from 'node:net';

/** The daemon is not there. */
export class NobodyThere extends Error {}

export interface Answer {
  /** Of the last line: from 8000 on it did not do it, from 9000 on it did not understand. */
  readonly code: number;
  /** All lines, with their codes. */
  readonly text: string;
}

const MOST_ANSWER = 4 * 1024 * 1024;
/** A line with a code and a space ends what it says; one with a code and `-`, or with a space alone, has more to come. */
const LAST_LINE = /^(\d{4}) .*\n/m;

/** One connection, one question. Throws {@link NobodyThere}, or an Error where the daemon says nothing that is an answer. */
export function ask(socket: string, question: string, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const connection = connect({ path: socket, signal });
    connection.setEncoding('utf8');
    let greeted = false;
    let text = '';
    connection.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MOST_ANSWER) {
        connection.destroy(new Error('BIRD answers without an end'));
        return;
      }
      for (let last = LAST_LINE.exec(text); last; last = LAST_LINE.exec(text)) {
        if (greeted) {
          resolve({ code: Number(last[1]), text });
          connection.destroy();
          return;
        }
        greeted = true;
        text = text.slice(last.index + last[0].length);
        connection.write(`${question}\n`);
      }
    });
    connection.once('error', (cause: NodeJS.ErrnoException) => {
      const isAbsent = cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED';
      reject(isAbsent ? new NobodyThere('BIRD does not run', { cause }) : cause);
    });
    connection.once('close', () => reject(new Error('BIRD ends the connection before it answers')));
  });
}
