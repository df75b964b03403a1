import { randomBytes } from 'node:crypto';
import { MemorySecretDecryptor } from '../../../reconciler/adapters/memory/secret-decryptor.ts';
import { parseSealed } from '../../../reconciler/core/revisions/parse-sealed.ts';
import type { Envelope, Opened } from '../../../reconciler/core/secrets/envelope.ts';
import { placed, writeInline } from '../../../reconciler/core/secrets/inline-value.ts';
import {
  inlineSealed,
  SECRET_VALUES,
  sopsSealed,
  type SopsSeal,
} from '../../../reconciler/core/secrets/secret-file.ts';
import type { ParsedFile } from '../../../reconciler/core/manifests/index.ts';
import { inPatience } from '../../support/patience.ts';

export const PLANE = 'age1plane';

export const SECRET = `apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: shop
type: Opaque
stringData:
  user: shop
  password: s3cret-canary
`;

/** Encrypted as SOPS does, for the recipients. */
export function sops(text: string, recipients: readonly string[] = [PLANE], seal: Partial<SopsSeal> = {}): string {
  const key = seal.key ?? randomBytes(32);
  const files = recipients.map((recipient) => ({ recipient, ...MemorySecretDecryptor.seal([recipient], key) }));
  return sopsSealed(text, {
    key,
    files,
    rules: { encrypted_regex: SECRET_VALUES },
    now: '2026-01-02T03:04:05Z',
    nonce: () => randomBytes(32),
    ...seal,
  });
}

/** With each value encrypted by itself. */
export async function inline(text: string, recipients: readonly string[] = [PLANE]): Promise<string> {
  return inlineSealed(text, async (place, value) =>
    writeInline(MemorySecretDecryptor.seal(recipients, placed(place, value)).bytes),
  );
}

/** As a control plane reads it that has the identities of these recipients. */
export async function openedBy(recipients: readonly string[], text: string, isRewritten = false): Promise<ParsedFile> {
  const decryptor = new MemorySecretDecryptor(recipients);
  const open = (envelope: Envelope): Promise<Opened> => decryptor.open(envelope, inPatience(60_000));
  return parseSealed('secret.yaml', 'oid', Buffer.from(text, 'utf8'), open, undefined, isRewritten);
}

/** As it is read where nobody has keys. */
export async function offline(text: string): Promise<ParsedFile> {
  return parseSealed('secret.yaml', 'oid', Buffer.from(text, 'utf8'), undefined);
}

/** `LINE CODE` of each diagnostic. */
export function findings({ diagnostics }: ParsedFile): string[] {
  return diagnostics.map(({ line, code }) => `${line} ${code}`);
}

/** The plain values of the file's Secrets. */
export function values({ objects }: ParsedFile): Record<string, string> {
  return Object.fromEntries(
    objects.flatMap(({ object }) =>
      object.kind === 'Secret'
        ? Object.entries(object.data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString('utf8')])
        : [],
    ),
  );
}
