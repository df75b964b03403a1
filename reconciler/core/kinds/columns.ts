/** Columns of `plumb get`, and how their cells are written. Words and forms follow kubectl's. */
import type { Kind, KubeObject, ObjectsByKind } from '../../../contracts/objects/index.ts';

export interface Column<K extends Kind> {
  readonly heading: string;
  /** Only shown with `-o wide`. */
  readonly wide?: boolean;
  cell(object: ObjectsByKind[K], seen: Seen): string;
}

/** From where objects are looked at. */
export interface Seen {
  readonly now: Date;
  /** Nodes that are not heard: what is known of their pods is how they were. */
  readonly unheard: ReadonlySet<string>;
}

export const NONE = '<none>';
export const NAME = { heading: 'NAME', cell: (object: KubeObject): string => object.metadata.name };
export const AGE = {
  heading: 'AGE',
  cell: (object: KubeObject, { now }: Seen): string => age(object.metadata.creationTimestamp, now),
};

/** Time between two moments as kubectl writes ages: `12s`, `5m`, `3h`, `9d`. */
export function age(from: string | undefined, now: Date): string {
  const at = Date.parse(from ?? '');
  if (Number.isNaN(at)) return '<unknown>';
  const seconds = Math.max(0, Math.floor((now.getTime() - at) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

/** A commit id as people write it. */
export function short(sha: string | undefined): string {
  return sha === undefined ? NONE : sha.slice(0, 12);
}

export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  return (
    Object.entries(labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(',') || NONE
  );
}
