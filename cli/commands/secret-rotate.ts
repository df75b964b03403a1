/** `plumb secret rotate`: a new data key, and the recipients that there are now. */
import { resolve } from 'node:path';
import { progress } from '../print/terminal.ts';
import {
  identitiesFile,
  openFile,
  readText,
  recipientsFor,
  replaceFile,
  sealInline,
  sealWithSops,
} from '../secret-files.ts';

export interface RotateOptions {
  readonly home?: string;
  readonly ageKey?: string;
  readonly recipient: readonly string[];
}

/** All files are opened before the first is written. */
export async function secretRotate(files: readonly string[], options: RotateOptions): Promise<void> {
  const keyFile = identitiesFile(options);
  const sealed: { readonly file: string; readonly text: string; readonly told: string }[] = [];
  for (const file of new Set(files.map((one) => resolve(one)))) {
    const opened = await openFile(file, await readText(file), keyFile);
    const { rule } = await recipientsFor(file, options.recipient);
    const text = opened.sops
      ? await sealWithSops(opened.text, { ...rule, rules: opened.sops.metadata.rules })
      : await sealInline(opened.text, rule.recipients);
    sealed.push({ file, text, told: `${file}: encrypted anew for ${rule.recipients.join(', ')}` });
  }
  for (const { file, text, told } of sealed) {
    await replaceFile(file, text);
    progress(told);
  }
  progress('note: who could decrypt an earlier commit still can: change the values too where that matters');
}
