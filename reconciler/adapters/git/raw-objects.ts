/**
 * Git's own object formats, read and written byte for byte. Source: gitformat-pack(5), git-cat-file(1), "Git Objects"
 * in Pro Git.
 */
import { createHash } from 'node:crypto';
import type { Revision } from '../../ports/git-source.ts';

export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag';

export interface RawObject {
  readonly type: ObjectType;
  readonly content: Buffer;
}

export interface TreeEntry {
  /** One path segment. Bytes that are no UTF-8 become U+FFFD, which no readable name holds. */
  readonly name: string;
  /** Padded to six digits: 040000, 100644, 100755, 120000, 160000. */
  readonly mode: string;
  readonly oid: string;
}

const NUL = 0;
const SPACE = 32;
const OID_BYTES = 20;

/** The entries of a tree object, in Git's order. Throws RangeError for bytes that are no tree. */
export function parseTree(content: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(SPACE, at);
    const end = content.indexOf(NUL, space);
    if (space < 0 || end < 0 || end + OID_BYTES >= content.length + 1) throw new RangeError('not a tree object');
    entries.push({
      mode: content.toString('latin1', at, space).padStart(6, '0'),
      name: content.toString('utf8', space + 1, end),
      oid: content.toString('hex', end + 1, end + 1 + OID_BYTES),
    });
    at = end + 1 + OID_BYTES;
  }
  return entries;
}

interface Headers {
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
}

/** Header lines up to the first empty line; a line that begins with a space continues the one before (signatures). */
function parseHeaders(content: Buffer): Headers {
  const text = content.toString('utf8');
  const gap = text.indexOf('\n\n');
  const fields = new Map<string, string[]>();
  for (const line of (gap < 0 ? text : text.slice(0, gap)).split('\n')) {
    if (line.startsWith(' ')) continue;
    const space = line.indexOf(' ');
    if (space < 0) continue;
    const name = line.slice(0, space);
    fields.set(name, [...(fields.get(name) ?? []), line.slice(space + 1)]);
  }
  return { fields, body: gap < 0 ? '' : text.slice(gap + 2) };
}

/** `Name <email> SECONDS ZONE`. */
function parsePerson(line: string | undefined): { name: string; email: string; at: string } {
  const match = /^(.*?) ?<([^>]*)>(?: (\d+) [+-]\d{4})?/.exec(line ?? '');
  const seconds = Math.min(Number(match?.[3] ?? 0), 253402300799);
  return {
    name: match?.[1] ?? '',
    email: match?.[2] ?? '',
    at: new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'),
  };
}

/** A commit object as a {@link Revision}. Throws RangeError for bytes that are no commit. */
export function parseCommit(sha: string, content: Buffer): Revision {
  const { fields, body } = parseHeaders(content);
  const tree = fields.get('tree')?.[0];
  if (tree === undefined) throw new RangeError('not a commit object');
  const author = parsePerson(fields.get('author')?.[0]);
  return {
    sha,
    tree,
    parents: fields.get('parent') ?? [],
    message: body,
    author: { name: author.name, email: author.email },
    committedAt: parsePerson(fields.get('committer')?.[0]).at,
  };
}

/** What an annotated tag points at. */
export function parseTagTarget(content: Buffer): string | undefined {
  return parseHeaders(content).fields.get('object')?.[0];
}

export interface NewCommit {
  readonly tree: string;
  /** Undefined for the first commit of a history. */
  readonly parent: string | undefined;
  readonly author: { readonly name: string; readonly email: string };
  readonly at: Date;
  readonly message: string;
}

/** Characters that would end the name or start a new header are dropped, as `git commit` does. */
function cleanPerson(text: string): string {
  return text.replace(/[<>\n\0]/g, '').trim() || 'plumbline';
}

/** Bytes and id of a commit object. The same input gives the same id. */
export function formatCommit(commit: NewCommit): { readonly sha: string; readonly content: Buffer } {
  const person = `${cleanPerson(commit.author.name)} <${cleanPerson(commit.author.email)}> ${Math.floor(commit.at.getTime() / 1000)} +0000`;
  const message = commit.message.endsWith('\n') ? commit.message : `${commit.message}\n`;
  const content = Buffer.from(
    `tree ${commit.tree}\n${commit.parent === undefined ? '' : `parent ${commit.parent}\n`}author ${person}\ncommitter ${person}\n\n${message}`,
    'utf8',
  );
  return { content, sha: createHash('sha1').update(`commit ${content.length}\0`).update(content).digest('hex') };
}
