/** `plumb secret ls`: the encrypted Secrets of a folder, and for whom they are. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { AgeFileDecryptor } from '../../reconciler/adapters/age/file-decryptor.ts';
import { isOpaqueSecret } from '../../reconciler/core/secrets/opaque.ts';
import { CliFailure } from '../failure.ts';
import { printData } from '../print/format.ts';
import { table } from '../print/table.ts';
import { print, progress } from '../print/terminal.ts';
import { renderFolder } from '../repository.ts';
import { identitiesFile } from '../secret-files.ts';

export interface ListOptions {
  readonly home?: string;
  readonly ageKey?: string;
  readonly output?: string;
}

interface SecretRow {
  readonly file: string;
  readonly namespace: string;
  readonly name: string;
  readonly form: 'sops' | 'inline';
  readonly recipients: readonly string[];
  readonly opens: boolean;
}

export async function secretList(dir: string, options: ListOptions): Promise<void> {
  const folder = resolve(dir);
  if (!existsSync(folder)) throw new CliFailure(2, `there is no folder ${folder}`);
  const { state, sealed = [] } = await renderFolder(folder);
  const decryptor = new AgeFileDecryptor(identitiesFile(options));
  const signal = new AbortController().signal;
  const rows: SecretRow[] = [];
  for (const { object, position } of state.values()) {
    if (object.kind !== 'Secret' || !isOpaqueSecret(object)) continue;
    const parts = sealed.filter(({ position: { file } }) => file === position.file);
    const own = parts.find(({ position: { line } }) => line >= position.line) ?? parts.at(-1);
    const opened = own && (await decryptor.open(own.envelope, signal));
    const recipients = own?.envelope.files.flatMap(({ recipient }) => recipient ?? []) ?? [];
    rows.push({
      file: position.file,
      namespace: object.metadata.namespace ?? '',
      name: object.metadata.name,
      form: recipients.length > 0 ? 'sops' : 'inline',
      recipients,
      opens: opened?.state === 'open',
    });
  }
  if (await printData(rows, options.output)) return;
  if (rows.length === 0) progress(`no encrypted Secret in ${folder}`);
  else
    await print(
      `${table(
        ['FILE', 'SECRET', 'FORM', 'OPENS', 'RECIPIENTS'],
        rows.map(({ file, namespace, name, form, opens, recipients }) => [
          file,
          `${namespace}/${name}`,
          form,
          opens ? 'yes' : 'no',
          recipients.length > 0 ? recipients.join(',') : '<not told>',
        ]),
      )}\n`,
    );
}
