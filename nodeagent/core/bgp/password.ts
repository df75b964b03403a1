/** The password of a session, from its Secret. */
import type { BGPPeer, Secret } from '../../../contracts/objects/index.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import type { AssignmentView } from '../assignment.ts';

/** Linux, TCP_MD5SIG_MAXKEYLEN. */
const MOST_BYTES = 80;
const TYPE = 'kubernetes.io/basic-auth';

/** Prints as `[redacted]`. */
export class PeerPassword {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }
  /** For BIRD's configuration only. */
  reveal(): string {
    return this.#text;
  }
  toString(): string {
    return '[redacted]';
  }
  toJSON(): string {
    return '[redacted]';
  }
}

export type PasswordFound = { readonly password: PeerPassword | undefined } | { readonly problem: string };

/** No session is opened without a password that is asked for. */
export function passwordOf({ metadata, spec }: BGPPeer, view: AssignmentView): PasswordFound {
  const name = spec.passwordSecret?.name;
  if (name === undefined) return { password: undefined };
  const called = `secret ${metadata.namespace ?? ''}/${name}`;
  const secret: Secret | undefined = view.get(objectKey('Secret', metadata.namespace, name));
  if (secret === undefined) return { problem: `${called} is not there` };
  if (secret.type !== TYPE) return { problem: `${called} must be of type ${TYPE}` };
  const base64 = secret.data && readKey(secret.data, 'password');
  const text = base64 === undefined ? '' : Buffer.from(base64, 'base64').toString('utf8');
  if (text === '') return { problem: `${called} has no password` };
  // What BIRD's strings cannot say.
  if (/["\p{Cc}]/u.test(text) || Buffer.byteLength(text) > MOST_BYTES)
    return { problem: `${called}: a password has at most ${MOST_BYTES} bytes, no " and no control characters` };
  return { password: new PeerPassword(text) };
}
