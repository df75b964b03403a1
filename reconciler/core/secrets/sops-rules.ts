/**
 * `.sops.yaml`: for whom new files are encrypted, by their path. Source: getsops/sops, config/config.go. Its patterns are
 * those of whoever runs the command, and are run.
 */
import { parse } from 'yaml';
import { z } from 'zod';
import { readKey } from '../../../contracts/objects/index.ts';
import { TerminalError } from '../errors.ts';
import { RULES, type SopsRules } from './sops-metadata.ts';

export interface CreationRule {
  readonly recipients: readonly string[];
  /** Empty where the rule does not say what is encrypted. */
  readonly rules: SopsRules;
}

const Recipients = z.union([z.string(), z.array(z.string())]).optional();
const KeyGroup = z.looseObject({ age: Recipients });
const Rule = z.looseObject({
  path_regex: z.string().optional(),
  age: Recipients,
  key_groups: z.array(KeyGroup).optional(),
  ...Object.fromEntries(RULES.map((name) => [name, z.string().optional()])),
});
const Config = z.looseObject({ creation_rules: z.array(Rule).optional() });
/** Of keys that only SOPS itself encrypts for, in a rule and in a group. */
const OTHERS = ['pgp', 'kms', 'gcp_kms', 'azure_keyvault', 'azure_keyvaults', 'hc_vault', 'hc_vault_transit_uri'];

/**
 * The first rule for a file, by its path from the folder of `.sops.yaml`. Throws TerminalError `SopsRulesInvalid` where
 * there is none, or where it names keys that only SOPS itself can encrypt for.
 */
export function creationRule(text: string, path: string): CreationRule {
  const config = Config.safeParse(yamlOf(text));
  if (!config.success) throw invalid(`it cannot be read: ${config.error.issues[0]?.message ?? 'unknown'}`);
  const rule = config.data.creation_rules?.find(
    ({ path_regex }) => path_regex === undefined || matches(path_regex, path),
  );
  if (!rule) throw invalid(`no rule of creation_rules is for ${path}`);
  const groups = rule.key_groups ?? [];
  if (groups.length > 1) throw invalid('the rule splits keys among several key_groups; encrypt such files with sops');
  const places = [rule, ...groups];
  const others = OTHERS.filter((name) => places.some((place) => isFilled(readKey(place, name))));
  if (others.length > 0)
    throw invalid(
      `the rule names keys of ${others.join(', ')}, and only age is known here; encrypt such files with sops`,
    );
  const recipients = places.flatMap(({ age }) => (typeof age === 'string' ? age.split(',') : (age ?? [])));
  return {
    recipients: recipients.map((one) => one.trim()).filter((one) => one !== ''),
    rules: Object.fromEntries(
      RULES.flatMap((name) => {
        const value = rule[name];
        return typeof value === 'string' && value !== '' ? [[name, value]] : [];
      }),
    ),
  };
}

function yamlOf(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 100 });
  } catch (cause) {
    throw new TerminalError('SopsRulesInvalid', `.sops.yaml: ${cause instanceof Error ? cause.message : 'no YAML'}`, {
      cause,
    });
  }
}

function matches(pattern: string, path: string): boolean {
  try {
    return new RegExp(pattern).test(path);
  } catch (cause) {
    throw new TerminalError(
      'SopsRulesInvalid',
      `.sops.yaml: path_regex ${JSON.stringify(pattern)} is not understood here`,
      { cause },
    );
  }
}

function isFilled(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);
}

function invalid(message: string): TerminalError {
  return new TerminalError('SopsRulesInvalid', `.sops.yaml: ${message}`);
}
