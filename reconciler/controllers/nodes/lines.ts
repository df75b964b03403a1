/** A node's stream of text, line by line. */
import type { Readable } from 'node:stream';
import { RetryableError } from '../../core/errors.ts';
import { turns } from '../runtime/slices.ts';

export interface LineLimits {
  /** Characters of one line. */
  readonly line: number;
  /** Characters of all; no bound when absent. */
  readonly total?: number;
}

/**
 * Lines as they come, some at a time and in turns with all else, however fast the node sends. Ends with the stream; destroys it when the reader stops. RetryableError `AnswerTooLarge` beyond a limit.
 */
export async function* linesOf(body: Readable, limits: LineLimits): AsyncGenerator<readonly string[]> {
  let rest = '';
  let total = 0;
  body.setEncoding('utf8');
  try {
    for await (const chunk of body as AsyncIterable<string>) {
      total += chunk.length;
      // What a line has so far is not looked at again with each piece: a node chooses how small the pieces are.
      const [first = '', ...others] = chunk.split('\n');
      const lines = others.length === 0 ? [] : [rest + first, ...others];
      rest = lines.pop() ?? rest + first;
      if (rest.length > limits.line || lines.some((line) => line.length > limits.line))
        throw new RetryableError('AnswerTooLarge', `the agent sends a line of more than ${limits.line} characters`);
      if (limits.total !== undefined && total > limits.total)
        throw new RetryableError('AnswerTooLarge', `the agent's answer is longer than ${limits.total} characters`);
      if (turns.isOver) await turns.next();
      yield lines.filter((line) => line !== '');
    }
  } finally {
    body.destroy();
  }
}
