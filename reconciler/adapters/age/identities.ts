/** A file of age identities, as `age-keygen` and `sops` have it: one a line, lines that begin with `#` are comments. */

export type IdentitiesResult =
  { readonly ok: true; readonly identities: readonly string[] } | { readonly ok: false; readonly why: string };

/** Each is tried on each age file that says not for whom it is. */
const MAX_IDENTITIES = 32;
export const MAX_IDENTITY_FILE_BYTES = 64 * 1024;

const OTHER_FORMS: readonly (readonly [RegExp, string])[] = [
  [
    /^(age-encryption\.org\/v1|-----BEGIN AGE ENCRYPTED FILE-----)/,
    'is protected by a passphrase, and nobody is there to type it: put the identity there as age-keygen prints it',
  ],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'holds an SSH or PEM key; only age identities are read (age-keygen)'],
  [/^AGE-PLUGIN-/m, 'names a plugin of age, which is not run; only X25519 and hybrid identities are read'],
];

/** Never repeats what is in the file: a mistake in it may be a secret. */
export function readIdentities(text: string): IdentitiesResult {
  const other = OTHER_FORMS.find(([form]) => form.test(text));
  if (other) return { ok: false, why: other[1] };
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const identities: string[] = [];
  for (const [i, line] of lines.entries()) {
    if (line === '' || line.startsWith('#')) continue;
    if (!/^AGE-SECRET-KEY-(PQ-)?1[0-9A-Z]{58}$/.test(line))
      return { ok: false, why: `has no age identity on line ${i + 1}: AGE-SECRET-KEY-1 and 58 characters` };
    identities.push(line);
  }
  if (identities.length === 0) return { ok: false, why: 'has no age identity' };
  if (identities.length > MAX_IDENTITIES) return { ok: false, why: `has more than ${MAX_IDENTITIES} identities` };
  return { ok: true, identities };
}
