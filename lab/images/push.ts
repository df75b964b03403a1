/** Uploads images with the registry's HTTP API. Source: OCI Distribution Specification 1.0, "Push". */
import { errorText } from '../../contracts/errors.ts';
import { LabFailure } from '../errors.ts';
import type { Blob, Image } from './image.ts';

/** Pushes what the registry at `address` (HOST:PORT, plain HTTP) lacks, then the tag. Safe to repeat. */
export async function pushImage(address: string, image: Image, signal?: AbortSignal): Promise<void> {
  const repository = `http://${address}/v2/${image.repository}`;
  for (const blob of image.blobs) await pushBlob(repository, blob, signal);
  await call(
    `${repository}/manifests/${image.tag}`,
    {
      method: 'PUT',
      headers: { 'content-type': image.manifest.mediaType },
      body: new Uint8Array(image.manifest.content),
    },
    [201],
    signal,
  );
}

async function pushBlob(repository: string, blob: Blob, signal: AbortSignal | undefined): Promise<void> {
  const there = await call(`${repository}/blobs/${blob.digest}`, { method: 'HEAD' }, [200, 404], signal);
  if (there.status === 200) return;
  const begun = await call(`${repository}/blobs/uploads/`, { method: 'POST' }, [202], signal);
  const target = new URL(begun.headers.get('location') ?? '', `${repository}/blobs/uploads/`);
  target.searchParams.set('digest', blob.digest);
  await call(
    target.href,
    { method: 'PUT', headers: { 'content-type': 'application/octet-stream' }, body: new Uint8Array(blob.content) },
    [201],
    signal,
  );
}

async function call(
  url: string,
  init: RequestInit,
  expected: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { ...init, ...(signal ? { signal } : {}) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new LabFailure(`The registry does not answer (${init.method} ${url}): ${errorText(error)}`, { cause: error });
  }
  const body = await answer.text();
  if (!expected.includes(answer.status))
    throw new LabFailure(`The registry refused ${init.method} ${url} with ${answer.status}: ${body.slice(0, 300)}`);
  return answer;
}
