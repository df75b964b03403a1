/**
 * Open pull requests as a generator has them: whose a stranger's code may be, what is kept of a forge's answer, and what
 * variables stand for.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  DEFAULT_NAMESPACE,
  FORGES,
  type AppSetPullRequests,
  type Forge,
  type SourcePin,
} from '../../../contracts/objects/index.ts';
import type { JsonObject } from '../fields/json.ts';
import type { Position } from '../manifests/types.ts';
import { pathMatcher } from './glob.ts';
import { isNoValue, type NoValue, type ValueObjects } from './object-values.ts';
import { authOf, type SourceAnswer, type WantedSource } from './other-sources.ts';

/** Of one repository, of those that may be run; strangers' are not among them. */
export const MAX_PULL_REQUESTS = 200;
/** What is kept of a text, in characters; a forge has no longer names of branches. */
const MAX_TEXT = 255;
const MAX_LABELS = 100;
/** Room for more in names of 63 characters. Source: Argo CD, "Pull Request Generator", branch_slug. */
const MAX_SLUG = 50;
/** Source: Argo CD, "Pull Request Generator", head_short_sha. */
const SHORT_SHA = 8;
/** The file of a listing, read as another repository's commit. */
const LISTING_FILE = 'pull-requests.json';

const PullRequest = z.object({
  number: z.int().min(1),
  title: z.string(),
  branch: z.string(),
  targetBranch: z.string(),
  headSha: z.string().regex(/^[0-9a-f]{40}$/),
  labels: z.array(z.string()).max(MAX_LABELS),
  author: z.string(),
});
export type PullRequest = z.infer<typeof PullRequest>;
const Listing = z.array(PullRequest).max(MAX_PULL_REQUESTS);

/** As a forge tells it. */
export interface FoundPullRequest extends PullRequest {
  /** Its commit was pushed by somebody who may not push to the repository itself. */
  readonly isForeign: boolean;
}

/**
 * The label by which a maintainer lets one commit of a stranger run. It has all of the id: shorter ones can be met by
 * another commit that is made for it.
 */
export function approvalLabel(sha: string): string {
  return `approved-${sha}`;
}

/** Those that may be run, as they are kept: by number, one text for one meaning. Undefined where there are too many. */
export function listingText(found: readonly FoundPullRequest[]): string | undefined {
  const mayRun = found.filter(
    ({ headSha, labels, isForeign }) =>
      PullRequest.shape.headSha.safeParse(headSha).success && (!isForeign || labels.includes(approvalLabel(headSha))),
  );
  if (mayRun.length > MAX_PULL_REQUESTS) return undefined;
  const kept = mayRun.map(({ number, title, branch, targetBranch, headSha, labels, author }) => ({
    number,
    title: plainText(title),
    branch: plainText(branch),
    targetBranch: plainText(targetBranch),
    headSha,
    labels: [...new Set(labels.map(plainText))].sort().slice(0, MAX_LABELS),
    author: plainText(author),
  }));
  kept.sort((a, b) => a.number - b.number);
  return JSON.stringify(kept);
}

/** By what a listing is known, as a commit by its id. */
export function listingId(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 40);
}

/** A line of people's text without what a terminal would obey, or show in another order. */
function plainText(text: string): string {
  const shown = text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, ' ');
  return [...shown].slice(0, MAX_TEXT).join('');
}

/** As part of a DNS label (RFC 1123), 50 characters at most; `x` where nothing of the text is left. */
export function slugOf(text: string): string {
  const slug = text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_SLUG)
    .replace(/^-+|-+$/g, '');
  return slug === '' ? 'x' : slug;
}

/** The forge that a generator asks, and of which repository. */
export function forgeOf(asked: AppSetPullRequests): Forge & { readonly kind: (typeof FORGES)[number] } {
  const kind = FORGES.find((one) => asked[one] !== undefined) ?? 'github';
  return { kind, ...(asked[kind] ?? { repository: '' }) };
}

const PUBLIC = { github: 'https://github.com', gitlab: 'https://gitlab.com', gitea: '' } as const;

/** What a generator asks for; the values of its Secret are of the same commit. */
export function wantedListing(asked: AppSetPullRequests, objects: ValueObjects, at: Position): WantedSource | NoValue {
  const { kind, url: given, repository, secretRef } = forgeOf(asked);
  const url = (given ?? PUBLIC[kind]).replace(/\/+$/, '');
  const follows = { pullRequests: { forge: kind, repository } };
  const secret = secretRef && { name: secretRef.name, namespace: secretRef.namespace ?? DEFAULT_NAMESPACE };
  const id = createHash('sha256')
    .update(JSON.stringify([url, follows, secret && [secret.namespace, secret.name]]))
    .digest('hex')
    .slice(0, 16);
  if (!secret) return { id, url, follows, auth: undefined };
  const auth = authOf(secret, objects, at);
  return isNoValue(auth) ? auth : { id, url, follows, auth };
}

/** A listing as files of a commit are: one, by whose id it is known. */
export function listingFiles(
  id: string,
): readonly { readonly path: string; readonly oid: string; readonly mode: string }[] {
  return [{ path: LISTING_FILE, oid: id, mode: '100644' }];
}

/** What a generator has: pull requests, or why it is not known which there are. */
export type Listed = readonly PullRequest[] | { readonly unread: string };

/** Never rejects for what is kept: what is no listing is not known. */
export async function readListing(answer: SourceAnswer): Promise<Listed> {
  if (!answer.ok) return { unread: answer.message };
  const [file] = answer.files;
  const bytes = file && (await answer.read(file, MAX_LISTING_BYTES));
  const read = bytes instanceof Uint8Array ? Listing.safeParse(jsonOf(new TextDecoder().decode(bytes))) : undefined;
  return read?.success === true ? read.data : { unread: 'what is kept of it is no list of pull requests' };
}

/** Of a listing; each has a few thousand characters at most, of up to four bytes, and JSON's own. */
export const MAX_LISTING_BYTES = 32 * 1024 * 1024;

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Those that the generator's filters leave. */
export function chosenOf(
  pulls: readonly PullRequest[],
  { labels = [], branches }: AppSetPullRequests,
): readonly PullRequest[] {
  const matchers = branches?.map(pathMatcher);
  return pulls.filter(
    (one) =>
      labels.every((label) => one.labels.includes(label)) &&
      (matchers?.some((matches) => matches(one.targetBranch)) ?? true),
  );
}

/** What variables stand for, `name` among them: the repository's own and the number. */
export function valuesOfPull(pull: PullRequest, repository: string): JsonObject {
  const { number, title, branch, targetBranch, headSha, labels, author } = pull;
  return {
    name: `${slugOf(repository.slice(repository.lastIndexOf('/') + 1))}-${number}`,
    number,
    title,
    branch,
    branchSlug: slugOf(branch),
    targetBranch,
    targetBranchSlug: slugOf(targetBranch),
    headSha,
    headShortSha: headSha.slice(0, SHORT_SHA),
    labels,
    author,
  };
}

/** What is kept of a listing that sets are of. */
export interface UsedListing {
  readonly set: string;
  readonly wanted: WantedSource;
  readonly answer: SourceAnswer;
}

/** Whether a pin is of a listing: it says which Apps there are, and has none of its own. */
export function isListing({ sets }: SourcePin): boolean {
  return sets !== undefined;
}
