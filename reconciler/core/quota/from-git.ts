/** Kinds whose objects come from Git alone: a commit says how many there are. */
import { ALL_KINDS, KINDS, type Kind } from '../../../contracts/objects/index.ts';
import { DESCRIPTORS } from '../kinds/index.ts';

export const FROM_GIT: ReadonlySet<Kind> = new Set(
  ALL_KINDS.filter(
    (kind) =>
      KINDS[kind].namespaced &&
      KINDS[kind].manifest !== undefined &&
      !ALL_KINDS.some((owner) => DESCRIPTORS[owner].owns.includes(kind)),
  ),
);
