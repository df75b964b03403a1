/** Files of a tree that SOPS encrypted. Secrets are read as they are; of what is refused is told, at its place. */
import { isSealedInput } from '../secrets/opaque.ts';
import { readSealed } from '../secrets/secret-file.ts';
import { readLocated, textOf, within } from './located.ts';
import { folderOf, resolvePath } from './names.ts';
import { itemsOf } from './kustomize/walk.ts';
import { Report } from './report.ts';
import type { OutputFile } from './types.ts';

const SEALED = 'ENC[AES256_GCM,data:';

/** `kept`: the files that the result has, `apps`: those with its Apps. */
export function tellOfEncrypted(kept: ReadonlyMap<string, string>, apps: readonly OutputFile[], report: Report): void {
  const sealed = [...kept].filter(([, text]) => text.includes(SEALED));
  if (sealed.length === 0) return;
  const inputs = engineInputs(kept, apps);
  for (const [path, text] of sealed) {
    const start = { file: path, line: 1, column: 1 };
    if (!isSealedInput(new TextEncoder().encode(text))) {
      // What a check would say of it. Nobody reads what is hidden.
      if (/\.ya?ml$/i.test(path) && !/(?:^|\/)\./.test(path)) report.add(readSealed(path, text).errors);
    } else if (inputs.has(path))
      report.invalid(
        start,
        `${path} is encrypted with SOPS, and an engine would have to read it: none is given what is decrypted`,
        'put its values into an encrypted Secret, as a manifest',
      );
  }
}

/** Files that Helm and Kustomize read for what is in them: files of values, and those of generators. */
function engineInputs(kept: ReadonlyMap<string, string>, apps: readonly OutputFile[]): ReadonlySet<string> {
  const inputs = new Set<string>();
  for (const { text } of apps)
    for (const app of readLocated('', text, new Report()))
      for (const file of itemsOf(within(app, 'spec', 'helm', 'valuesFiles'))) inputs.add(textOf(file) ?? '');
  for (const [path, text] of kept) {
    if (/(?:^|\/)Chart\.yaml$/.test(path)) inputs.add(resolvePath(folderOf(path), 'values.yaml') ?? '');
    if (!/(?:^|\/)(?:kustomization\.ya?ml|Kustomization)$/.test(path)) continue;
    for (const root of readLocated(path, text, new Report()))
      for (const list of ['configMapGenerator', 'secretGenerator'])
        for (const entry of itemsOf(within(root, list)))
          for (const item of [
            ...itemsOf(within(entry, 'files')),
            ...itemsOf(within(entry, 'envs')),
            ...[within(entry, 'env')].flatMap((each) => each ?? []),
          ]) {
            const written = textOf(item) ?? '';
            const file = resolvePath(folderOf(path), written.slice(written.indexOf('=') + 1));
            if (file !== undefined) inputs.add(file);
          }
  }
  return inputs;
}
