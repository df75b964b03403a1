/**
 * The model as `nft -f` text. One command a line; needs nftables 0.9.8 and Linux 5.10 or newer (comments on chains).
 *
 * The words are chosen for what nft does before it writes. For `add rule`, `add element` and `delete` it has the kernel
 * list all chains and sets of all tables (`nft_cache_evaluate`): 30 ms of processor time beside 10,000 Services. For
 * `flush chain`, `add chain C { rules }` and `add map M { type; elements }` it lists none. A chain or a set that is added
 * once more stays what it was.
 */
import type { Family } from '../../../contracts/ip.ts';
import type { Target } from '../data-plane/plan.ts';
import { renderEnds, renderPorts, addressWord } from './render-allowance.ts';
import { FAMILY_WORDS, type FamilyWords } from './words.ts';
import {
  SERVICE_MARK,
  type Chain,
  type Command,
  type Container,
  type Element,
  type RejectMatch,
  type Rule,
} from './model.ts';

/** Elements a line: nft reads one line as one netlink batch entry, and very long lines are slow to parse. */
const ELEMENTS_PER_LINE = 500;

const MARK = `0x${SERVICE_MARK.toString(16)}`;
const UNMARK = `0x${(~SERVICE_MARK >>> 0).toString(16)}`;

/** The chain that carries the generation, as the comment of its one rule; no packet ever gets there. */
export const GENERATION_CHAIN = 'generation';
/** An empty chain that only the generation's rule refers to: it can be removed exactly when that rule is gone. */
export const ANCHOR_CHAIN = 'anchor';

/**
 * The text of one transaction on table `ip TABLE`, or `ip6 TABLE`. `generation` is written into the table, so that a look at one chain
 * tells whether the table is still the one that was written.
 */
export function renderTransaction(
  table: string,
  commands: readonly Command[],
  generation: string,
  family: Family = 'IPv4',
): string {
  const words = FAMILY_WORDS[family];
  const named = `${words.ip} ${table}`;
  const lines = commands.flatMap((command) => renderCommand(named, command, words));
  const chain = `${named} ${GENERATION_CHAIN}`;
  return `${[
    ...lines,
    `add chain ${named} ${ANCHOR_CHAIN}`,
    `add chain ${chain}`,
    `flush chain ${chain}`,
    `add chain ${chain} { jump ${ANCHOR_CHAIN} comment ${quote(generation)}; }`,
  ].join('\n')}\n`;
}

function renderCommand(table: string, command: Command, words: FamilyWords): string[] {
  switch (command.do) {
    case 'replace-table':
      // nft 1.0.6 has no `destroy`: adding first makes the deletion safe where there is no table.
      return [`add table ${table}`, `delete table ${table}`, `add table ${table}`];
    case 'add-container':
      return [declaration(table, command.container, words)];
    case 'add-chain':
      return [`add chain ${table} ${command.chain.name}${chainBody(command.chain)}`];
    case 'set-rules':
      return [
        ...(command.fresh ? [] : [`flush chain ${table} ${command.chain}`]),
        ...ruleLines(`${table} ${command.chain}`, command.rules, words),
      ];
    case 'delete-elements':
      return inParts(command.elements).map(
        (elements) => `delete element ${table} ${command.container} { ${elements} }`,
      );
    case 'add-elements':
      return inParts(command.elements).map((elements) => declaration(table, command.container, words, elements));
    case 'delete-chain':
      return [`delete chain ${table} ${command.chain}`];
    case 'delete-container':
      return [`delete set ${table} ${command.container}`];
  }
}

/** Rules at the end of a chain that is there. What refers to a set by name has nft look for that set. */
function ruleLines(chain: string, rules: readonly Rule[], words: FamilyWords): string[] {
  const texts = rules.map((rule) => renderRule(rule, words));
  if (texts.some((text) => text.includes('@'))) return texts.map((text) => `add rule ${chain} ${text}`);
  return texts.length === 0 ? [] : [`add chain ${chain} { ${texts.join('; ')}; }`];
}

function declaration(table: string, container: Container, words: FamilyWords, elements?: string): string {
  const key = container.key.map((part) => (part === 'address' ? words.address : part));
  const parts = [`type ${key.join(' . ')}${container.kind === 'verdict-map' ? ' : verdict' : ''};`];
  if (container.timeoutSeconds !== undefined)
    parts.push('flags dynamic,timeout;', `timeout ${container.timeoutSeconds}s;`);
  if (container.comment !== undefined) parts.push(`comment ${quote(container.comment)};`);
  if (elements !== undefined) parts.push(`elements = { ${elements} };`);
  return `add ${container.kind === 'set' ? 'set' : 'map'} ${table} ${container.name} { ${parts.join(' ')} }`;
}

function chainBody(chain: Omit<Chain, 'rules'>): string {
  const parts: string[] = [];
  if (chain.hook)
    parts.push(`type ${chain.hook.type} hook ${chain.hook.hook} priority ${chain.hook.priority}; policy accept;`);
  if (chain.comment !== undefined) parts.push(`comment ${quote(chain.comment)};`);
  return parts.length === 0 ? '' : ` { ${parts.join(' ')} }`;
}

/** nft's comments hold 128 bytes and have no way to write a quote. */
function quote(text: string): string {
  return `"${text.replace(/["\\\n]/g, '').slice(0, 120)}"`;
}

/** Elements as nft writes them, as many as go on one line. */
function inParts(elements: readonly Element[]): string[] {
  const parts: string[] = [];
  for (let at = 0; at < elements.length; at += ELEMENTS_PER_LINE) {
    const texts = elements
      .slice(at, at + ELEMENTS_PER_LINE)
      .map((e) => (e.chain === undefined ? e.key : `${e.key} : goto ${e.chain}`));
    parts.push(texts.join(', '));
  }
  return parts;
}

/** One rule's expressions and verdict. */
export function renderRule(rule: Rule, words: FamilyWords = FAMILY_WORDS.IPv4): string {
  const { ip } = words;
  switch (rule.kind) {
    case 'jump':
      return `jump ${rule.chain}`;
    case 'jump-marked':
      return `meta mark & ${MARK} == ${MARK} jump ${rule.chain}`;
    case 'dispatch-services':
      return `${ip} daddr . meta l4proto . th dport vmap @${rule.map}`;
    case 'dispatch-host-ports':
      return `fib daddr type local ${ip} daddr . meta l4proto . th dport vmap @${rule.map}`;
    // Loopback cannot be redirected to another machine without route_localnet, which would open loopback to the
    // network.
    case 'dispatch-node-ports':
      return `fib daddr type local ${ip} daddr != ${words.loopback} meta l4proto . th dport vmap @${rule.map}`;
    case 'balance':
      return `meta l4proto ${rule.protocol.toLowerCase()} ${oneIn(rule.oneIn)}${setMark()} ${redirect(rule.targets)}`;
    case 'stick':
      return `${ip} saddr @${rule.set} goto ${rule.chain}`;
    case 'choose':
      return rule.chains.length === 1
        ? `${oneIn(rule.oneIn)}goto ${rule.chains[0] ?? ''}`
        : `numgen random mod ${rule.chains.length} vmap { ${rule.chains.map((chain, i) => `${i} : goto ${chain}`).join(', ')} }`;
    case 'remember':
      return `meta l4proto ${rule.protocol.toLowerCase()} update @${rule.set} { ${ip} saddr } ${setMark()} ${redirect([rule.target])}`;
    case 'from-pods':
      return `${ip} saddr ${rule.pods} goto ${rule.chain}`;
    case 'from-machine':
      return `fib saddr type local goto ${rule.chain}`;
    case 'admit':
      return `${ip} saddr { ${rule.ranges.join(', ')} } goto ${rule.chain}`;
    case 'lead':
      return `${setMark()} ct mark set ct mark | ${MARK}`;
    case 'lead-again':
      return `ct direction original ct mark & ${MARK} == ${MARK} ${setMark()}`;
    case 'pass-marked':
      return `meta mark & ${MARK} == ${MARK} accept`;
    case 'pass-own':
      return 'fib saddr type local accept';
    case 'unmark':
      return `meta mark set meta mark & ${UNMARK}`;
    case 'masquerade-hairpin':
      return `${ip} saddr . ${ip} daddr @${rule.set} masquerade fully-random`;
    case 'masquerade-transit':
      return rule.local === undefined
        ? 'masquerade fully-random'
        : `${ip} saddr != ${rule.local} ${ip} daddr != ${rule.local} masquerade fully-random`;
    case 'masquerade-egress':
      return `${ip} saddr ${rule.local} ${ip} daddr != ${rule.pods} ${ip} daddr != @${rule.nodes} masquerade fully-random`;
    case 'lend-address':
      return `ip saddr 127.0.0.1 ip daddr . meta l4proto . th dport @${rule.set} ip saddr set ${rule.address}`;
    case 'restore-loopback':
      return 'ct direction reply ct status dnat ct original ip daddr 127.0.0.0/8 ip daddr set 127.0.0.1';
    case 'drop-strangers':
      return `udp dport ${rule.port} ${ip} saddr != @${rule.set} drop`;
    // One second's worth may come at once.
    case 'limit-link':
      return `iif != "lo" ${ip} daddr ${rule.address} udp dport ${rule.port} update @${rule.set} { iif limit rate over ${rule.perSecond}/second burst ${rule.perSecond} packets } drop`;
    case 'drop-borrowed':
      return `ct state new ${ip} saddr ${rule.address} ${ip} daddr ${rule.pods} ${ip} daddr != ${rule.local}${rule.user === undefined ? '' : ` meta skuid != ${rule.user}`} drop`;
    // Links of pods are made by the plugin `ptp`, which names the host's end so; each has a route for its one address. Of
    // IPv6, addresses of the link itself are never forwarded, and what finds neighbours is not tracked (RFC 4291, RFC 4861).
    case 'drop-forged':
      return words.ip === 'ip'
        ? 'iifname "veth*" ct state new fib saddr . iif oif missing drop'
        : 'iifname "veth*" ct state new ip6 saddr != fe80::/10 fib saddr . iif oif missing drop';
    case 'pass-known':
      return 'ct state established,related accept';
    case 'pass-hairpin':
      return `${ip} saddr . ${ip} daddr @${rule.set} accept`;
    case 'jump-to':
      return `${ip} daddr ${rule.address} jump ${rule.chain}`;
    case 'dispatch-address':
      return `${addressWord(rule.side, words)} vmap @${rule.map}`;
    case 'allow':
      return [renderEnds(rule.side, rule.ends, words), renderPorts(rule.protocol, rule.ports), 'return']
        .join(' ')
        .trim();
    case 'allow-named':
      return `${renderEnds('destination', rule.ends, words)} ${ip} daddr . meta l4proto . th dport @${rule.set} return`.trim();
    case 'drop':
      return rule.match === undefined ? 'drop' : `${rejectMatch(rule.match, words)} drop`;
    case 'reject':
      if (rule.match.what === 'addresses' && rule.protocol === 'other')
        return `${rejectMatch(rule.match, words)} meta l4proto != ${words.icmp} reject with ${words.icmp} port-unreachable`;
      return `${rejectMatch(rule.match, words)}${rule.protocol === 'TCP' ? ' meta l4proto tcp reject with tcp reset' : ` reject with ${words.icmp} port-unreachable`}`;
  }
}

function oneIn(packets: number | undefined): string {
  return packets === undefined ? '' : `numgen random mod ${packets} == 0 `;
}

function setMark(): string {
  return `meta mark set meta mark | ${MARK}`;
}

function redirect(targets: readonly Target[]): string {
  const [first] = targets;
  if (first === undefined) throw new RangeError('a redirecting rule needs a target');
  if (targets.length === 1)
    return `dnat to ${first.address.includes(':') ? `[${first.address}]` : first.address}:${first.port}`;
  return `dnat to numgen random mod ${targets.length} map { ${targets.map((t, i) => `${i} : ${t.address} . ${t.port}`).join(', ')} }`;
}

function rejectMatch(match: RejectMatch, { ip, loopback }: FamilyWords): string {
  switch (match.what) {
    case 'range':
      return `ct state new ${ip} daddr ${match.cidr}`;
    case 'services':
      return `ct state new ${ip} daddr . meta l4proto . th dport @${match.set}`;
    case 'addresses':
      return `ct state new ${ip} daddr @${match.set}`;
    case 'node-ports':
      return `ct state new ${ip} daddr != ${loopback} meta l4proto . th dport @${match.set}`;
  }
}
