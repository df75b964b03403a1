/**
 * Objects to records and back; the only place that knows how a Secret is sealed within one, and how a record is proved
 * to be ours.
 *
 * A record is `version|generation|uid|created|specDigest|bodyDigest|bodyProof|statusProof|endProof`, a line feed, the
 * body, a line feed, the status. Redis gives the version, and keeps one part while the other is replaced; so each part has a
 * proof of its own, `BASE.MAC`: BASE is the version that the writer replaced, and the MAC covers incarnation, uid, BASE
 * and the part as it lies there. Who can write Redis without the key can neither make a part, nor move one to another
 * object, another incarnation or another BASE. The end of an object has a third one, of what was deleted and at which
 * version; a record without it is no deletion.
 */
import { timingSafeEqual } from 'node:crypto';
import {
  keyOf,
  kindOf,
  kindOfResource,
  type AnyKey,
  type AnyObject,
  type AnyStored,
} from '../../../contracts/objects/index.ts';
import { canonicalJson, canonicalObject } from '../../core/storage/canonical-json.ts';
import { putTogether, takeApart, type Body } from '../../core/storage/object-form.ts';
import type { Seal } from './seal.ts';

/** What a part is written into. */
export interface PartPlace {
  readonly incarnation: string;
  readonly key: AnyKey;
  readonly uid: string;
  /** The version that is replaced; 0 for a create. */
  readonly base: string;
}

/**
 * What the write script needs of an object's body. Digests are keyed and of the plaintext: sealing is different each
 * time.
 */
export interface EncodedBody {
  readonly specDigest: string;
  readonly bodyDigest: string;
  readonly bodyProof: string;
  readonly body: string;
}

export interface EncodedStatus {
  readonly statusProof: string;
  readonly status: string;
}

export interface DecodedRecord {
  readonly object: AnyStored;
  readonly bodyBase: number;
  readonly statusBase: number;
  /** Of the record of a deletion: the version that was deleted. */
  readonly endBase?: number;
}

const SEALED_FIELD = 'plumbline.dev/sealed';
export const NO_STATUS: EncodedStatus = { statusProof: '', status: '' };

export function encodeBody(object: AnyObject, place: PartPlace, seal: Seal): EncodedBody {
  const { body, specPart } = takeApart(object);
  // For the most part they are the same.
  const texts = new Map<unknown, string>();
  const textOf = (member: unknown): string => {
    const text = texts.get(member) ?? canonicalJson(member);
    texts.set(member, text);
    return text;
  };
  const plain = canonicalObject(body, textOf);
  const specDigest = seal.digest(canonicalObject(specPart, textOf));
  const bodyDigest = seal.digest(plain);
  const text = isSecret(body) ? canonicalJson(sealBody(body, sealedPlace(place.key, place.uid), seal)) : plain;
  return {
    specDigest,
    bodyDigest,
    bodyProof: `${place.base}.${seal.prove(bodyContext(place, specDigest, bodyDigest), text)}`,
    body: text,
  };
}

/** Canonical, so that equal statuses are equal texts; empty for none. */
export function encodeStatus(object: AnyObject, place: PartPlace, seal: Seal): EncodedStatus {
  const { status } = takeApart(object);
  if (status === undefined) return NO_STATUS;
  const text = canonicalJson(status);
  return { statusProof: `${place.base}.${seal.prove(statusContext(place), text)}`, status: text };
}

/** Proves that the holder of the key deleted the object at version `base`. */
export function proveEnd(place: PartPlace, seal: Seal): string {
  return `${place.base}.${seal.prove(endContext(place), '')}`;
}

/** The version that `proof` says was deleted; undefined where the holder of the key did not say so. */
export function provedEnd(proof: string, place: Omit<PartPlace, 'base'>, seal: Seal): number | undefined {
  const base = baseOf(proof);
  return isProved(proof, base, seal.prove(endContext({ ...place, base }), '')) ? Number(base) : undefined;
}

/** Undefined for a record that the key's holder did not write like this. Throws TerminalError `SealBroken`. */
export function decodeRecord(record: string, incarnation: string, seal: Seal): DecodedRecord | undefined {
  const headEnd = record.indexOf('\n');
  const bodyEnd = record.indexOf('\n', headEnd + 1);
  const head = record.slice(0, headEnd).split('|');
  if (headEnd < 0 || bodyEnd < 0 || head.length !== 9) return undefined;
  const [
    resourceVersion = '',
    generation = '',
    uid = '',
    creationTimestamp = '',
    specDigest = '',
    bodyDigest = '',
    bodyProof = '',
    statusProof = '',
    endProof = '',
  ] = head;
  if (!isCounter(resourceVersion) || !isCounter(generation)) return undefined;
  const bodyText = record.slice(headEnd + 1, bodyEnd);
  const statusText = record.slice(bodyEnd + 1);
  const bodyBase = baseOf(bodyProof);
  const place = { incarnation, uid, base: bodyBase };
  if (!isProved(bodyProof, bodyBase, seal.prove(bodyContext(place, specDigest, bodyDigest), bodyText)))
    return undefined;
  const body = JSON.parse(bodyText) as Body;
  const server = {
    uid: copied(uid),
    resourceVersion,
    generation: Number(generation),
    creationTimestamp: copied(creationTimestamp),
  };
  if (!isReadable(body)) return undefined;
  const key = keyOf(putTogether(body, undefined, server));
  let statusBase = '0';
  if (statusText !== '' || statusProof !== '') {
    statusBase = baseOf(statusProof);
    if (
      !isProved(
        statusProof,
        statusBase,
        seal.prove(statusContext({ incarnation, key, uid, base: statusBase }), statusText),
      )
    )
      return undefined;
  }
  const endBase = endProof === '' ? undefined : provedEnd(endProof, { incarnation, key, uid }, seal);
  if (endProof !== '' && endBase === undefined) return undefined;
  const status = statusText === '' ? undefined : (JSON.parse(statusText) as unknown);
  const object = putTogether(isSecret(body) ? openBody(body, sealedPlace(key, uid), seal) : body, status, server);
  return {
    object,
    bodyBase: Number(bodyBase),
    statusBase: Number(statusBase),
    ...(endBase !== undefined && { endBase }),
  };
}

/** A part of a text keeps the whole of it in memory: an object would keep the record that it was read from. */
function copied(part: string): string {
  return Buffer.from(part).toString();
}

/** Not of a kind that this version does not have; ours it is by its proof. */
function isReadable({ kind, apiVersion, metadata: { resource } }: Body): boolean {
  return resource === undefined
    ? kindOf(String(apiVersion), kind) !== undefined
    : kindOfResource(resource) === undefined;
}

/** Kubernetes' own; somebody's kind of that name has no field that is known to be secret. */
function isSecret({ kind, metadata: { resource } }: Body): boolean {
  return kind === 'Secret' && resource === undefined;
}

/** The object's key is in the body. */
function bodyContext(
  { incarnation, uid, base }: Omit<PartPlace, 'key'>,
  specDigest: string,
  bodyDigest: string,
): string {
  return `body|${incarnation}|${uid}|${base}|${specDigest}|${bodyDigest}`;
}

function statusContext({ incarnation, key, uid, base }: PartPlace): string {
  return `status|${incarnation}|${key}|${uid}|${base}`;
}

function endContext({ incarnation, key, uid, base }: PartPlace): string {
  return `end|${incarnation}|${key}|${uid}|${base}`;
}

/** Whether it is a whole number that both JavaScript's and Lua's numbers keep exactly, with room to count on. */
export function isCounter(text: string): boolean {
  return /^\d{1,15}$/.test(text);
}

function baseOf(proof: string): string {
  return proof.slice(0, Math.max(0, proof.indexOf('.')));
}

function isProved(proof: string, base: string, mac: string): boolean {
  const wanted = Buffer.from(`${base}.${mac}`);
  const given = Buffer.from(proof);
  return isCounter(base) && given.length === wanted.length && timingSafeEqual(given, wanted);
}

function sealedPlace(key: AnyKey, uid: string): string {
  return `${key}#${uid}`;
}

function sealBody(body: Body, place: string, seal: Seal): Body {
  const { data, ...rest } = body;
  return {
    ...rest,
    kind: body.kind,
    metadata: body.metadata,
    [SEALED_FIELD]: seal.seal(canonicalJson(data ?? {}), place),
  };
}

function openBody(body: Body, place: string, seal: Seal): Body {
  const { [SEALED_FIELD]: sealed, ...rest } = body;
  const data = JSON.parse(seal.open(String(sealed), place)) as unknown;
  return { ...rest, kind: body.kind, metadata: body.metadata, data };
}
