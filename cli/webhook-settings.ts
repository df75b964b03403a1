/** The options of `plumb up` for webhooks. */
import { readFile } from 'node:fs/promises';
import { errorText } from '../contracts/errors.ts';
import { CliFailure } from './failure.ts';
import { progress } from './print/terminal.ts';

export interface WebhookFlags {
  readonly webhook?: string;
  readonly webhookSecret?: string;
  readonly webhookCert?: string;
  readonly webhookKey?: string;
}

interface WebhookSettings {
  readonly host: string;
  readonly port: number;
  readonly secret: Buffer;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
}

/** Fewer characters can be tried out. */
const SHORTEST_SECRET = 16;
const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** Undefined where nobody is to listen. CliFailure 2 where the options do not go together, or a file cannot be read. */
export async function webhookSettings(flags: WebhookFlags): Promise<WebhookSettings | undefined> {
  const { webhook, webhookSecret, webhookCert, webhookKey } = flags;
  if (webhook === undefined) {
    if (webhookSecret !== undefined || webhookCert !== undefined || webhookKey !== undefined)
      throw new CliFailure(2, 'where are webhooks to be heard?', 'name it: --webhook 127.0.0.1:9443');
    return undefined;
  }
  const { host, port } = placeOf(webhook);
  if (webhookSecret === undefined)
    throw new CliFailure(
      2,
      'webhooks need a secret that the forge has too',
      'write one to a file (openssl rand -hex 32), and name it: --webhook-secret FILE',
    );
  const secret = Buffer.from((await contents(webhookSecret)).toString('utf8').trim(), 'utf8');
  if (secret.length < SHORTEST_SECRET)
    throw new CliFailure(2, `the secret in ${webhookSecret} has fewer than ${SHORTEST_SECRET} characters`);
  if ((webhookCert === undefined) !== (webhookKey === undefined))
    throw new CliFailure(2, '--webhook-cert and --webhook-key go together');
  const tls =
    webhookCert !== undefined && webhookKey !== undefined
      ? { cert: await contents(webhookCert), key: await contents(webhookKey) }
      : undefined;
  if (!tls && !LOOPBACK.test(host))
    progress(`note: webhooks at ${host}:${port} come in the clear: put TLS before it, or give --webhook-cert and -key`);
  return { host, port, secret, ...(tls && { tls }) };
}

/** `PORT`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. */
function placeOf(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, digits] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits ?? -1);
  if (digits === undefined || port > 65535)
    throw new CliFailure(2, `${JSON.stringify(text)} is no place to listen at`, 'write PORT or ADDRESS:PORT');
  return { host: bracketed ?? plain ?? '127.0.0.1', port };
}

async function contents(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new CliFailure(2, `cannot read ${file}: ${errorText(error)}`);
  }
}
