/** The `sops` block of a document. Source: getsops/sops, stores/stores.go. */
import type { YamlMap, YamlNode } from '../manifests/yaml-tree.ts';
import { withoutArmor, type AgeFile } from './envelope.ts';
import { readSopsValue, type SopsValue } from './sops-value.ts';

export interface SopsMetadata {
  /** For whom the data key is encrypted, in order. */
  readonly recipients: readonly string[];
  readonly files: readonly AgeFile[];
  /** As written: additional data of the digest. */
  readonly lastModified: string;
  readonly mac: SopsValue;
  /** As written. Documents with the same one are of one file. */
  readonly macText: string;
  readonly onlyEncrypted: boolean;
  readonly rules: SopsRules;
}

/** Which values SOPS encrypts; at most one of them is set. Absent: those whose key does not end in `_unencrypted`. */
export interface SopsRules {
  readonly encrypted_regex?: string;
  readonly unencrypted_regex?: string;
  readonly encrypted_suffix?: string;
  readonly unencrypted_suffix?: string;
}

export const RULES = ['encrypted_regex', 'unencrypted_regex', 'encrypted_suffix', 'unencrypted_suffix'] as const;
export const DEFAULT_UNENCRYPTED_SUFFIX = '_unencrypted';

export type MetadataResult =
  | { readonly ok: true; readonly metadata: SopsMetadata }
  | {
      readonly ok: false;
      readonly code: 'SopsInvalid' | 'SopsKeysUnsupported';
      readonly message: string;
      readonly hint: string;
    };

/** Kinds of keys that need somebody to ask, by the name of their list. */
const SERVICES = {
  pgp: 'PGP',
  kms: 'AWS KMS',
  gcp_kms: 'GCP KMS',
  azure_kv: 'Azure Key Vault',
  hc_vault: 'HashiCorp Vault',
} as const;
/** Each costs an elliptic-curve multiplication for every identity that is tried. */
export const MAX_RECIPIENTS = 32;
const MAX_AGE_FILE_BYTES = 64 * 1024;

export function readMetadata(node: YamlNode): MetadataResult {
  const invalid = (message: string): MetadataResult => ({
    ok: false,
    code: 'SopsInvalid',
    message,
    hint: 'encrypt the file again: plumb secret encrypt, or sops encrypt',
  });
  if (node.kind !== 'map') return invalid('sops is not a map');
  const version = textAt(node, 'version');
  if (version === undefined || !/^3\.\d+/.test(version))
    return invalid(`sops.version must be 3.x, found ${version === undefined ? 'none' : JSON.stringify(version)}`);
  if (entries(node, 'key_groups').length > 0)
    return invalid('sops.key_groups splits the data key among several groups, which is not supported');
  const others = Object.entries(SERVICES).filter(([name]) => entries(node, name).length > 0);
  const age = entries(node, 'age');
  if (age.length === 0)
    return {
      ok: false,
      code: 'SopsKeysUnsupported',
      message:
        others.length === 0
          ? 'sops.age names nobody who could decrypt this'
          : `is encrypted with ${others.map(([, service]) => service).join(' and ')} only; only age is read here`,
      hint: 'encrypt it for an age recipient too: sops rotate --add-age age1... -i FILE',
    };
  if (age.length > MAX_RECIPIENTS) return invalid(`sops.age has more than ${MAX_RECIPIENTS} recipients`);
  const files: AgeFile[] = [];
  for (const entry of age) {
    const [recipient, enc] = entry.kind === 'map' ? [textAt(entry, 'recipient'), textAt(entry, 'enc')] : [];
    const bytes = enc !== undefined && enc.length <= MAX_AGE_FILE_BYTES ? withoutArmor(enc) : undefined;
    if (recipient === undefined || !bytes)
      return invalid('each entry of sops.age needs recipient and enc, an armored age file');
    files.push({ recipient, bytes });
  }
  const macText = textAt(node, 'mac');
  const mac = macText === undefined ? undefined : readSopsValue(macText);
  const lastModified = textAt(node, 'lastmodified');
  if (macText === undefined || !mac || lastModified === undefined)
    return invalid('sops.mac and sops.lastmodified are required: without them nobody knows what was changed');
  return {
    ok: true,
    metadata: {
      recipients: files.flatMap(({ recipient }) => recipient ?? []),
      files,
      lastModified,
      mac,
      macText,
      onlyEncrypted: textAt(node, 'mac_only_encrypted') === 'true',
      rules: Object.fromEntries(
        RULES.flatMap((name) => {
          const rule = textAt(node, name);
          return rule === undefined || rule === '' ? [] : [[name, rule]];
        }),
      ),
    },
  };
}

function entries(map: YamlMap, name: string): readonly YamlNode[] {
  const list = map.fields.get(name)?.node;
  return list?.kind === 'list' ? list.items : [];
}

function textAt(map: YamlMap, name: string): string | undefined {
  const node = map.fields.get(name)?.node;
  return node?.kind === 'scalar' && (node.quoted || node.value !== null) ? node.source : undefined;
}

/**
 * Whether SOPS would have encrypted what is in a top-level field, as far as its rules are plain words: a pattern comes
 * from the commit, and is not run.
 */
export function surelyEncrypts(rules: SopsRules, field: string, key: string): boolean {
  if (rules.encrypted_regex !== undefined) {
    const [, words] = /^\^\(?([\w|]+)\)?\$$/.exec(rules.encrypted_regex) ?? [];
    return words?.split('|').includes(field) === true;
  }
  if (rules.unencrypted_regex !== undefined || rules.encrypted_suffix !== undefined) return false;
  return !key.endsWith(rules.unencrypted_suffix ?? DEFAULT_UNENCRYPTED_SUFFIX);
}
