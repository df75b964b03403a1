/**
 * Requests of forges. Source: GitHub, "Validating webhook deliveries"; GitLab, "Webhooks"; Gitea and Forgejo, "Webhooks";
 * Bitbucket Cloud and Data Center, "Manage webhooks".
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export type Forge = 'github' | 'gitlab' | 'gitea' | 'bitbucket' | 'generic';

export interface WebhookRequest {
  readonly method: string;
  /** Lower-case names; of several of one name, the first. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export type Verdict =
  /** `delivery`: what the forge calls this one; a repeated one has the same. */
  | { readonly is: 'push'; readonly forge: Forge; readonly delivery: string | undefined }
  | { readonly is: 'ping'; readonly forge: Forge }
  | { readonly is: 'refused'; readonly status: 400 | 401 | 405; readonly why: string };

/** Longest id that is remembered. */
const MAX_DELIVERY = 128;

interface Proof {
  readonly header: string;
  readonly forge: Forge;
  /** `hmac`: of the body, SHA-256, in hex. `token`: the secret itself. */
  readonly by: 'hmac' | 'token';
}

/** The first that a request has is the one that counts; Forgejo sends several. */
const PROOFS: readonly Proof[] = [
  { header: 'x-gitlab-token', forge: 'gitlab', by: 'token' },
  { header: 'x-forgejo-signature', forge: 'gitea', by: 'hmac' },
  { header: 'x-gitea-signature', forge: 'gitea', by: 'hmac' },
  { header: 'x-hub-signature-256', forge: 'github', by: 'hmac' },
  { header: 'x-hub-signature', forge: 'bitbucket', by: 'hmac' },
  { header: 'x-plumbline-signature', forge: 'generic', by: 'hmac' },
];

const DELIVERIES = [
  'x-github-delivery',
  'x-forgejo-delivery',
  'x-gitea-delivery',
  'x-gitlab-event-uuid',
  'x-request-uuid',
  'x-request-id',
  'x-plumbline-delivery',
];

/** Events that come when a webhook is set up. */
const PINGS: readonly (readonly [header: string, value: string])[] = [
  ['x-github-event', 'ping'],
  ['x-event-key', 'diagnostics:ping'],
];

/**
 * Judges a request. The proof is looked at before the body, and in a time that says nothing of the secret. A body has to
 * be JSON, also within a form; nothing in it is used.
 */
export function judgeWebhook({ method, headers, body }: WebhookRequest, secret: Buffer): Verdict {
  if (method !== 'POST') return refused(405, 'a webhook is a POST');
  const proof = PROOFS.find(({ header }) => headers.has(header));
  if (!proof) return refused(401, 'there is no signature: set the secret in the forge');
  if (!isProven(proof, headers.get(proof.header) ?? '', body, secret))
    return refused(401, proof.by === 'token' ? 'wrong token' : 'wrong signature');
  if (!isJson(headers.get('content-type') ?? '', body)) return refused(400, 'the body is no JSON');
  const { forge } = proof;
  if (PINGS.some(([header, value]) => headers.get(header) === value)) return { is: 'ping', forge };
  const delivery = DELIVERIES.map((header) => headers.get(header)).find((id) => id !== undefined);
  return { is: 'push', forge, delivery: delivery?.slice(0, MAX_DELIVERY) };
}

function refused(status: 400 | 401 | 405, why: string): Verdict {
  return { is: 'refused', status, why };
}

function isProven({ by }: Proof, given: string, body: Buffer, secret: Buffer): boolean {
  if (by === 'token') return isSame(Buffer.from(given, 'utf8'), secret);
  const hex = given.replace(/^sha256=/, '');
  return isSame(Buffer.from(hex, 'utf8'), Buffer.from(createHmac('sha256', secret).update(body).digest('hex')));
}

/** Of texts of any length: what is compared are their hashes. */
function isSame(a: Buffer, b: Buffer): boolean {
  const hash = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
  return timingSafeEqual(hash(a), hash(b));
}

function isJson(contentType: string, body: Buffer): boolean {
  const text = contentType.startsWith('application/x-www-form-urlencoded')
    ? (new URLSearchParams(body.toString('utf8')).get('payload') ?? '')
    : body.toString('utf8');
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
