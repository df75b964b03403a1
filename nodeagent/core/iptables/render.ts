/**
 * The model as text for `iptables-restore --noflush`: one transaction on table `nat`. A chain that is declared there is
 * emptied first, so each is written whole. Needs the matches addrtype, comment, recent and statistic.
 */
import type { ChainChange } from './ruleset.ts';
import type { NatListing } from './listing.ts';
import { CHAINS, HOOKS, type Chain, type Rule } from './model.ts';
import { SERVICE_MARK } from '../nftables/model.ts';

const MARK = `0x${SERVICE_MARK.toString(16)}`;
const JUMP = `-m comment --comment "plumbline: Services and host ports" -j ${CHAINS.services}`;

/** Chains that are as generation `before` left them become these. Refused where its mark is gone, as after a flush. */
export function renderChange({ set, gone }: ChainChange, before: string, generation: string): string {
  return transaction({ set, gone, declared: [], rules: [`-D ${CHAINS.generation} ${comment(before)}`], generation });
}

/** Whatever of ours is there becomes these chains; each hook has one jump to them, first if it had none. */
export function renderWhole(chains: Iterable<Chain>, generation: string, there: NatListing): string {
  const set = [...chains];
  const names = new Set<string>([...set.map(({ name }) => name), CHAINS.generation]);
  const gone = [...there.chains.keys()].filter((name) => !names.has(name));
  const jumps = HOOKS.flatMap((hook) => {
    const [first, ...more] = there.jumps.get(hook) ?? [];
    return [...(first === undefined ? [`-I ${hook} 1 ${JUMP}`] : []), ...more.map((rule) => `-D ${hook} ${rule}`)];
  });
  return transaction({ set, gone, declared: [CHAINS.generation], rules: jumps, generation });
}

/**
 * Nothing of ours is left after these, one after the other; none where nothing is there. As all of ours the first writes a mark, by
 * which is known whose it was; the last takes that away.
 */
export function renderRemoval({ chains, jumps }: NatListing): readonly string[] {
  if (chains.size === 0) return [];
  const rules = HOOKS.flatMap((hook) => (jumps.get(hook) ?? []).map((rule) => `-D ${hook} ${rule}`));
  const gone = [...chains.keys()].filter((name) => name !== CHAINS.generation);
  return [
    transaction({ set: [], gone, declared: [CHAINS.generation], rules, generation: 'removed' }),
    script([declaration(CHAINS.generation), `-X ${CHAINS.generation}`]),
  ];
}

interface Transaction extends ChainChange {
  /** Chains that are emptied beside. */
  readonly declared: readonly string[];
  /** Changes of rules of chains that are not emptied. */
  readonly rules: readonly string[];
  readonly generation: string;
}

function transaction({ set, gone, declared, rules, generation }: Transaction): string {
  return script([
    ...[...set.map(({ name }) => name), ...gone, ...declared].map(declaration),
    ...rules,
    ...set.flatMap(({ name, rules: list }) => list.map((rule) => `-A ${name} ${renderRule(rule)}`)),
    `-A ${CHAINS.generation} ${comment(generation)}`,
    ...gone.map((name) => `-X ${name}`),
  ]);
}

function script(lines: readonly string[]): string {
  return `${['*nat', ...lines, 'COMMIT'].join('\n')}\n`;
}

function declaration(name: string): string {
  return `:${name} - [0:0]`;
}

/** One rule's matches and target. */
export function renderRule(rule: Rule): string {
  const { from, to, notTo, protocol, port, machine, oneIn, client } = rule;
  const word = protocol?.toLowerCase();
  return [
    ...(from === undefined ? [] : [`-s ${from}`]),
    ...(to === undefined ? [] : [`-d ${to}`]),
    ...(notTo === undefined ? [] : [`! -d ${notTo}`]),
    ...(word === undefined ? [] : [`-p ${word}`]),
    ...(word === undefined || port === undefined ? [] : [`-m ${word} --dport ${port}`]),
    ...(machine === undefined ? [] : [`-m addrtype --${machine === 'to' ? 'dst' : 'src'}-type LOCAL`]),
    ...(client === undefined ? [] : [renderClient(client)]),
    ...(oneIn === undefined ? [] : [`-m statistic --mode random --probability ${(1 / oneIn).toFixed(10)}`]),
    ...(rule.comment === undefined ? [] : [comment(rule.comment)]),
    renderAction(rule),
  ].join(' ');
}

function renderClient(client: NonNullable<Rule['client']>): string {
  return client.do === 'seen'
    ? `-m recent --name ${client.list} --rcheck --seconds ${client.seconds} --reap --rsource`
    : `-m recent --name ${client.list} --set --rsource`;
}

function renderAction({ action }: Rule): string {
  switch (action.do) {
    case 'go':
      return `-g ${action.chain}`;
    case 'mark':
      return `-j MARK --set-xmark ${MARK}/${MARK}`;
    case 'send': {
      const { address, port } = action.target;
      return `-j DNAT --to-destination ${address.includes(':') ? `[${address}]` : address}:${port}`;
    }
  }
}

/** A comment holds 255 bytes (XT_MAX_COMMENT_LEN). */
function comment(text: string): string {
  return `-m comment --comment "${text.replace(/["\\\n]/g, '').slice(0, 120)}"`;
}
