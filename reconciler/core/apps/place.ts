/** Where an App's files are: the commit that it is written in, or one of another repository. */
import { MAX_FILE_BYTES, type TreeFile } from '../manifests/select-files.ts';
import { KustomizeClosure } from './closure.ts';
import { FileTree } from './file-tree.ts';
import type { AppSources, SourceAnswer, WantedSource } from './other-sources.ts';

export interface Place {
  readonly tree: FileTree;
  /** Contents of a file of the tree, `too-large` over `maxBytes`. */
  readonly read: (file: TreeFile, maxBytes: number) => Promise<Uint8Array | 'too-large'>;
  readonly kustomize: KustomizeClosure;
  /** What stands before a path where people see it. */
  readonly prefix: string;
}

export function placeOf(tree: FileTree, read: Place['read'], prefix: string): Place {
  const kustomize = new KustomizeClosure(tree, async (file) => {
    const bytes = await read(file, MAX_FILE_BYTES);
    return bytes === 'too-large' ? undefined : bytes;
  });
  return { tree, read, kustomize, prefix };
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

  of(wanted: WantedSource): Promise<OtherPlace> {
    const known = this.#known.get(wanted.id) ?? this.#open(wanted);
    this.#known.set(wanted.id, known);
    return known;
  }

  async #open(wanted: WantedSource): Promise<OtherPlace> {
    if (!this.#sources) return { answer: { ok: false, message: `${wanted.url} is read by the control plane alone` } };
    const answer = await this.#sources.open(wanted);
    return answer.ok
      ? { answer, place: placeOf(new FileTree(answer.files), answer.read, `${wanted.url}//`) }
      : { answer };
  }
}
