/** The body of a request, as it is or compressed with gzip. */
import { errorText } from '../../../contracts/errors.ts';
import { ApiError } from './answers.ts';

const { gunzip } = process.getBuiltinModule('node:zlib');

/** Content-Encodings that {@link requestBody} reads. */
export const ENCODINGS = ['gzip'] as const;

/**
 * At most `limit` bytes, on the wire and decompressed: more is an ApiError 413 `TooLarge`, before it is in memory. 415
 * `EncodingUnknown` for what is not among {@link ENCODINGS}, 400 `BadRequest` for what is not compressed so.
 */
export async function requestBody(
  chunks: AsyncIterable<Buffer>,
  encoding: string | undefined,
  limit: number,
): Promise<string> {
  if (encoding !== undefined && !ENCODINGS.some((known) => known === encoding))
    throw new ApiError(415, 'EncodingUnknown', `a body with the encoding ${encoding} is not read, one with gzip is`);
  const read: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    read.push(chunk);
  }
  const body = Buffer.concat(read);
  return (encoding === undefined ? body : await decompressed(body, limit)).toString('utf8');
}

async function decompressed(body: Buffer, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gunzip(body, { maxOutputLength: limit }, (error, text) => {
      if (error === null) resolve(text);
      else if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') reject(tooLarge(limit));
      else reject(new ApiError(400, 'BadRequest', `the body is not compressed with gzip: ${errorText(error)}`));
    });
  });
}

function tooLarge(limit: number): ApiError {
  return new ApiError(413, 'TooLarge', `a body may have at most ${limit} bytes here`);
}
