/** The body of an answer, never longer than the caller takes. */
import { RetryableError } from '../core/errors.ts';

/**
 * RetryableError `AnswerTooLarge` beyond `maxBytes`; the stream is destroyed then, as every iteration that is left
 * early does.
 */
export async function answerBody(chunksOf: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunksOf) {
    length += chunk.length;
    if (length > maxBytes) throw new RetryableError('AnswerTooLarge', `the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
