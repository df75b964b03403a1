/** Objects to records and back; the only place that knows how a Secret is sealed within one. */
import { keyOf, type KubeObject, type ObjectKey, type Stored } from '../../../contracts/objects/index.ts';
import { canonicalJson } from '../../core/storage/canonical-json.ts';
import { putTogether, takeApart, type Body } from '../../core/storage/object-form.ts';
import type { Seal } from './seal.ts';

/** What the write script needs of an object's body. Digests are keyed and of the plaintext: sealing is different each time. */
export interface EncodedBody {
  readonly specDigest: string;
  readonly bodyDigest: string;
  readonly body: string;
}

const SEALED_FIELD = 'plumbline.dev/sealed';

export function encodeBody(object: KubeObject, uid: string, seal: Seal): EncodedBody {
  const { body, specPart } = takeApart(object);
  const text = canonicalJson(body);
  return {
    specDigest: seal.digest(canonicalJson(specPart)),
    bodyDigest: seal.digest(text),
    body: body.kind === 'Secret' ? canonicalJson(sealBody(body, placeOf(keyOf(object), uid), seal)) : text,
  };
}

/** Canonical, so that equal statuses are equal texts; empty for none. */
export function encodeStatus(object: KubeObject): string {
  const { status } = takeApart(object);
  return status === undefined ? '' : canonicalJson(status);
}

/** Parses a record that one of our scripts wrote. Throws TerminalError `SealBroken`. */
export function decodeRecord(record: string, seal: Seal): Stored {
  const headEnd = record.indexOf('\n');
  const bodyEnd = record.indexOf('\n', headEnd + 1);
  const [resourceVersion = '', generation = '', uid = '', creationTimestamp = ''] = record.slice(0, headEnd).split('|');
  const body = JSON.parse(record.slice(headEnd + 1, bodyEnd)) as Body;
  const status = bodyEnd + 1 < record.length ? (JSON.parse(record.slice(bodyEnd + 1)) as unknown) : undefined;
  const server = { uid, resourceVersion, generation: Number(generation), creationTimestamp };
  const stored = putTogether(body, status, server);
  return stored.kind === 'Secret' ? putTogether(openBody(body, placeOf(keyOf(stored), uid), seal), status, server) : stored;
}

function placeOf(key: ObjectKey, uid: string): string {
  return `${key}#${uid}`;
}

function sealBody(body: Body, place: string, seal: Seal): Body {
  const { data, ...rest } = body;
  return { ...rest, kind: body.kind, metadata: body.metadata, [SEALED_FIELD]: seal.seal(canonicalJson(data ?? {}), place) };
}

function openBody(body: Body, place: string, seal: Seal): Body {
  const { [SEALED_FIELD]: sealed, ...rest } = body;
  const data = JSON.parse(seal.open(String(sealed), place)) as unknown;
  return { ...rest, kind: body.kind, metadata: body.metadata, data };
}
