/** `plumb secret encrypt`. */
import { encryptFor } from '../../reconciler/adapters/age/encrypt.ts';
import { placed, writeInline, type SecretPlace } from '../../reconciler/core/secrets/inline-value.ts';
import { CliFailure } from '../failure.ts';
import { print, progress } from '../print/terminal.ts';
import { checkManifests, readText, recipientsFor, replaceFile, sealInline, sealWithSops } from '../secret-files.ts';

export interface EncryptOptions {
  readonly recipient: readonly string[];
  readonly inline?: boolean;
  readonly value?: string;
}

/** More than a Secret may hold. */
const MAX_INPUT_BYTES = 1024 * 1024;

export async function secretEncrypt(file: string | undefined, options: EncryptOptions): Promise<void> {
  if (options.value !== undefined) {
    if (file !== undefined) throw new CliFailure(2, '--value takes the value from standard input, and no file');
    await print(`${await encryptedValue(options.value, options.recipient)}\n`);
    return;
  }
  if (file === undefined) throw new CliFailure(2, 'which file?', 'name it, or - for standard input');
  const path = file === '-' ? 'stdin.yaml' : file;
  const text = file === '-' ? (await standardInput()).toString('utf8') : await readText(file);
  checkManifests(path, text);
  const { rule, from } = await recipientsFor(path, options.recipient);
  const sealed = options.inline ? await sealInline(text, rule.recipients) : await sealWithSops(text, rule);
  if (sealed === text) throw new CliFailure(1, `${path} has no value of a Secret to encrypt`);
  checkManifests(path, sealed);
  if (file === '-') await print(sealed);
  else await replaceFile(file, sealed);
  progress(`encrypted for ${rule.recipients.join(', ')} (${from})`);
  if (text.includes('#')) progress('note: comments stay as they are, for everybody to read');
}

/** For one key of one Secret; the text goes into its manifest. */
async function encryptedValue(of: string, given: readonly string[]): Promise<string> {
  const place = placeOf(of);
  const { rule } = await recipientsFor('value.yaml', given);
  if (process.stdin.isTTY) progress('the value, ended with Ctrl-D:');
  return writeInline(await encryptFor(rule.recipients, placed(place, await standardInput())));
}

function placeOf(text: string): SecretPlace {
  const [namespace, name, key, ...more] = text.split('/');
  if (!namespace || !name || !key || more.length > 0)
    throw new CliFailure(2, `${JSON.stringify(text)} is no place of a value`, 'write NAMESPACE/SECRET/KEY');
  return { namespace, name, key };
}

async function standardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_INPUT_BYTES) throw new CliFailure(1, 'standard input is larger than a Secret may be');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
