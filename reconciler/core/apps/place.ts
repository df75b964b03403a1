/** Where an App's files are: the commit that it is written in, or one of another repository. */
import { MAX_FILE_BYTES } from '../manifests/select-files.ts';
import { KustomizeClosure } from './closure.ts';
import { FileTree } from './file-tree.ts';
import type { AppSources, SourceAnswer, WantedSource } from './other-sources.ts';
import { Submodules, type TreeReader } from './submodules.ts';

export interface Place {
  readonly tree: FileTree;
  readonly read: TreeReader;
  /** Of the tree, which grows where one is opened. */
  readonly submodules: Submodules;
  readonly kustomize: KustomizeClosure;
  /** What stands before a path where people see it. */
  readonly prefix: string;
}

export function placeOf(tree: FileTree, submodules: Submodules, prefix: string): Place {
  const { read } = submodules;
  const kustomize = new KustomizeClosure(tree, async (file) => {
    const bytes = await read(file, MAX_FILE_BYTES);
    return bytes === 'too-large' ? undefined : bytes;
  });
  return { tree, read, submodules, kustomize, prefix };
}

export interface OtherPlace {
  readonly answer: SourceAnswer;
  /** Absent where the repository cannot be read. */
  readonly place?: Place;
}

/** The places of one rendering: Apps of one repository share one, and so see the same commit. */
export class OtherPlaces {
  readonly #sources: AppSources | undefined;
  readonly #known = new Map<string, Promise<OtherPlace>>();

  constructor(sources: AppSources | undefined) {
    this.#sources = sources;
  }

  /** Ids of what submodules of them were read as. */
  async submodules(): Promise<readonly string[]> {
    const all = await Promise.all(this.#known.values());
    return all.flatMap(({ place }) => [...(place?.submodules.used ?? [])]);
  }

  of(wanted: WantedSource): Promise<OtherPlace> {
    const known = this.#known.get(wanted.id) ?? this.#open(wanted);
    this.#known.set(wanted.id, known);
    return known;
  }

  async #open(wanted: WantedSource): Promise<OtherPlace> {
    if (!this.#sources) return { answer: { ok: false, message: `${wanted.url} is read by the control plane alone` } };
    const answer = await this.#sources.open(wanted);
    if (!answer.ok) return { answer };
    const { id, url, auth } = wanted;
    const tree = new FileTree(answer.files);
    const origin = { url, auth, id };
    const submodules = new Submodules({ tree, read: answer.read, origin, sources: this.#sources });
    return { answer, place: placeOf(tree, submodules, `${url}//`) };
  }
}
