/** The commands about encrypted Secrets; none of these needs a running control plane. */
import type { Command } from 'commander';
import type { EditOptions } from './commands/secret-edit.ts';
import type { EncryptOptions } from './commands/secret-encrypt.ts';
import type { KeygenOptions } from './commands/secret-keygen.ts';
import type { ListOptions } from './commands/secret-list.ts';
import type { RotateOptions } from './commands/secret-rotate.ts';
import { withHome } from './home.ts';
import { outputOption } from './print/format.ts';

const KEY_OPTION = [
  '--age-key <file>',
  'age identities (default: SOPS_AGE_KEY_FILE, age.key in the home folder, ~/.config/sops/age/keys.txt)',
] as const;
const RECIPIENT_OPTION = [
  '-r, --recipient <recipient>',
  'for whom; may be repeated (default: the rule of .sops.yaml, or spec.secrets.recipients of the Cluster)',
] as const;

function collected(one: string, before: readonly string[]): readonly string[] {
  return [...before, one];
}

/** Adds `secret keygen|encrypt|edit|rotate|ls`. */
export function registerSecrets(plumb: Command): void {
  const secret = plumb
    .command('secret')
    .description('Secrets that are encrypted in Git, with SOPS (age) or value by value');

  secret
    .command('keygen')
    .description('make the identity that the control plane opens Secrets with, and print its recipient')
    .option('--age-key <file>', 'where it is kept (default: age.key in the home folder)')
    .option('--add', 'before those that are there: what is encrypted for them still opens')
    .addHelpText(
      'after',
      '\nExample:\n  plumb secret keygen   # the recipient goes into the Cluster, spec.secrets.recipients',
    )
    .action(async (options: Omit<KeygenOptions, 'home'>, command: Command) =>
      (await import('./commands/secret-keygen.ts')).secretKeygen(withHome(options, command)),
    );

  secret
    .command('encrypt')
    .description(
      'encrypt the Secrets of a file in place, as sops does, or with - those of standard input to standard output',
    )
    .argument('[file]', 'a manifest')
    .option(...RECIPIENT_OPTION, collected, [])
    .option('--inline', 'each value by itself: others can be added without an identity')
    .option('--value <namespace/secret/key>', 'standard input, as one value for that place')
    .addHelpText(
      'after',
      '\nExamples:\n  plumb secret encrypt db.yaml\n  printf %s "$PASSWORD" | plumb secret encrypt --value shop/db/password',
    )
    .action(async (file: string | undefined, options: EncryptOptions) =>
      (await import('./commands/secret-encrypt.ts')).secretEncrypt(file, options),
    );

  secret
    .command('edit')
    .description('open an encrypted file in EDITOR, in memory, and encrypt what changed')
    .argument('<file>', 'an encrypted manifest')
    .option(...KEY_OPTION)
    .action(async (file: string, options: Omit<EditOptions, 'home'>, command: Command) =>
      (await import('./commands/secret-edit.ts')).secretEdit(file, withHome(options, command)),
    );

  secret
    .command('rotate')
    .description('encrypt files anew, under new keys, for those who are to read them now')
    .argument('<files...>', 'encrypted manifests')
    .option(...RECIPIENT_OPTION, collected, [])
    .option(...KEY_OPTION)
    .action(async (files: readonly string[], options: Omit<RotateOptions, 'home'>, command: Command) =>
      (await import('./commands/secret-rotate.ts')).secretRotate(files, withHome(options, command)),
    );

  secret
    .command('ls')
    .description('the encrypted Secrets of a folder, and for whom they are')
    .argument('[dir]', 'a folder of manifests', '.')
    .option(...KEY_OPTION)
    .addOption(outputOption('json'))
    .action(async (dir: string, options: Omit<ListOptions, 'home'>, command: Command) =>
      (await import('./commands/secret-list.ts')).secretList(dir, withHome(options, command)),
    );
}
