/**
 * Members and leases as fields of the store's meta hash: `member:ID` is `home|beat|ready|let go|label`, `lease:NAME` its
 * holder's ID. What a member's nodes let go of is `version:shard,shard`. They have no proof: what cannot have been
 * written by a control plane is refused here.
 */
import type { LeaseView, LetGo, Member } from '../../ports/leases.ts';
import { isCounter } from './record.ts';

/** What the script that reads the table says where it is larger than this. */
export const MOST_FIELDS = 4096;
export const LONGEST_FIELD = 8192;
const LONGEST_LABEL = 200;
const MEMBER = 'member:';
const LEASE = 'lease:';
/** Of at most as many shards as there may be. */
const LET_GO = /^(\d{1,15}):((?:\d{1,4}(?:,\d{1,4}){0,1023})?)$/;
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f]/g;

/** A label as it is kept: for people, on one line. */
export function labelOf(text: string): string {
  return text.replaceAll(UNPRINTABLE, '?').slice(0, LONGEST_LABEL);
}

/** The value of a member's field. */
export function encodeMember(
  { home, label }: { readonly home: string; readonly label: string },
  { beat, ready, letGo }: Pick<Member, 'beat' | 'ready' | 'letGo'>,
): string {
  return [home, beat, ready ? 1 : 0, `${letGo.upTo}:${letGo.shards.join(',')}`, label].join('|');
}

/** Of fields and values, by turns; undefined where one of them is none that {@link encodeMember} or a grant makes. */
export function decodeTable(fields: readonly string[]): LeaseView | undefined {
  const members: Member[] = [];
  const holders = new Map<string, string>();
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [field = '', value = ''] = [fields[at], fields[at + 1]];
    if (field.startsWith(LEASE)) {
      if (!isCounter(value)) return undefined;
      holders.set(field.slice(LEASE.length), value);
    } else if (field.startsWith(MEMBER)) {
      const member = decodeMember(field.slice(MEMBER.length), value);
      if (!member) return undefined;
      members.push(member);
    }
  }
  return { members, holders };
}

function decodeMember(id: string, value: string): Member | undefined {
  const [, beat = '', ready = '', word = '', ...rest] = value.split('|');
  const label = rest.join('|');
  const letGo = decodeLetGo(word);
  if (!isCounter(id) || !isCounter(beat) || !letGo || !/^[01]$/.test(ready)) return undefined;
  if (rest.length === 0 || label !== labelOf(label)) return undefined;
  return { id, label, beat: Number(beat), ready: ready === '1', letGo };
}

function decodeLetGo(text: string): LetGo | undefined {
  const [, upTo, shards] = LET_GO.exec(text) ?? [];
  if (upTo === undefined || shards === undefined) return undefined;
  return { upTo: Number(upTo), shards: shards === '' ? [] : shards.split(',').map(Number) };
}
