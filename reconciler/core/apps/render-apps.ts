/** The Apps of a revision to parsed manifests: each rendered once for what it reads, and never again while that stays. */
import { decodeUtf8 } from '../manifests/decode-text.ts';
import { MADE } from './app-call.ts';
import type { AppTools, CallFile } from './engine.ts';
import { KUSTOMIZATION_NAMES } from './kustomization.ts';
import {
  callTogether,
  MAX_TOGETHER,
  MAX_TOGETHER_BYTES,
  mayShareCall,
  takeApart,
  type Member,
} from './kustomize-batch.ts';
import { OneApp, type AppRendering, type AppsInput, type EngineWork } from './one-app.ts';
import { OtherPlaces, placeOf } from './place.ts';

/** Apps worked at at the same time; how many engines run is the engines' own bound. */
const CONCURRENCY = 8;

export interface RenderedApps {
  /** In the order of the Apps. */
  readonly renderings: readonly AppRendering[];
  /** Ids of what submodules of other repositories were read as. */
  readonly submodules: readonly string[];
}

/** Rejects when reading or a tool does. */
export async function renderApps(input: AppsInput): Promise<RenderedApps> {
  const own = placeOf(input.tree, input.submodules, '');
  const others = new OtherPlaces(input.sources);
  const all = input.apps.map((app) => new OneApp(app, input, own, others));
  const wanting: Wanting[] = [];
  await eachOf(all, async (app) => {
    const work = await app.prepare();
    if (work) wanting.push({ app, work });
  });
  if (input.tools) await askEngines(wanting, input.tools);
  const renderings = new Array<AppRendering>(all.length);
  await eachOf([...all.entries()], async ([i, app]) => {
    renderings[i] = await app.finish();
  });
  return { renderings, submodules: await others.submodules() };
}

interface Wanting {
  readonly app: OneApp;
  readonly work: EngineWork;
}

async function eachOf<T>(list: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const queue = list.values();
  async function worker(): Promise<void> {
    for (const one of queue) await work(one);
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

/** Kustomize is asked for many at once where that gives the same, and for each alone where it may not. */
async function askEngines(wanting: readonly Wanting[], tools: AppTools): Promise<void> {
  const groups: Wanting[][] = [];
  const byKey = new Map<string, Wanting>();
  for (const each of wanting) {
    // Two that read and are the same have one result, which the second one finds kept.
    const isFirst = !byKey.has(each.work.key);
    byKey.set(each.work.key, each);
    const last = groups.at(-1);
    const joins = isFirst && each.work.call.engine === 'kustomize';
    if (joins && last && last.length < MAX_TOGETHER && last[0]?.work.call.engine === 'kustomize') last.push(each);
    else groups.push([each]);
  }
  await eachOf(groups, (group) => askTogether(group, tools));
}

async function askTogether(group: readonly Wanting[], tools: AppTools): Promise<void> {
  const members: (Wanting & Member)[] = [];
  const alone: (Wanting & { readonly files: readonly CallFile[] })[] = [];
  let room = MAX_TOGETHER_BYTES;
  for (const { app, work } of group) {
    const files = await app.read(work);
    if (!files) continue;
    const bytes = files.reduce((sum, file) => sum + file.bytes.byteLength, 0);
    // No more is held at a time than one App may read beside those that are together.
    if (bytes > room) {
      await app.run(work, files);
      continue;
    }
    room -= bytes;
    if (group.length > 1 && mayJoin(work, files)) members.push({ app, work, key: work.key, folder: MADE, files });
    else alone.push({ app, work, files });
  }
  const made = members.length > 1 ? await together(members, tools) : undefined;
  for (const member of members) {
    const documents = made?.get(member.key);
    if (documents) await member.app.take(documents, member.files);
    else alone.push(member);
  }
  await eachOf(alone, ({ app, work, files }) => app.run(work, files));
}

/** Undefined where the call fails, whoever it is that it fails for, or made more than is soon looked through. */
async function together(
  members: readonly Member[],
  tools: AppTools,
): Promise<ReturnType<typeof takeApart> | undefined> {
  const answer = await tools.run(callTogether(members));
  const decoded = answer.ok && answer.output.byteLength <= MAX_TOGETHER_BYTES ? decodeUtf8(answer.output) : undefined;
  return decoded?.ok === true ? takeApart(members, decoded.text) : undefined;
}

function mayJoin({ call }: EngineWork, files: readonly CallFile[]): boolean {
  const text = ({ bytes }: CallFile): string => new TextDecoder().decode(bytes);
  const isKustomization = ({ path }: CallFile): boolean =>
    !path.startsWith(`${MADE}/`) && KUSTOMIZATION_NAMES.some((name) => path.endsWith(`/${name}`));
  return mayShareCall(files.filter(isKustomization).map(text), [
    ...files.filter((file) => !isKustomization(file)).map(text),
    ...(call.patches ?? []),
  ]);
}
