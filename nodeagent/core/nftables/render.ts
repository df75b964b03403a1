/**
 * The model as `nft -f` text. One command a line; needs nftables 0.9.8 and Linux 5.10 or newer (comments on chains).
 */
import type { Target } from '../data-plane/plan.ts';
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
 * The text of one transaction on table `ip TABLE`. `generation` is written into the table, so that a look at one chain
 * tells whether the table is still the one that was written.
 */
export function renderTransaction(table: string, commands: readonly Command[], generation: string): string {
  const lines = commands.flatMap((command) => renderCommand(`ip ${table}`, command));
  const chain = `ip ${table} ${GENERATION_CHAIN}`;
  return `${[
    ...lines,
    `add chain ip ${table} ${ANCHOR_CHAIN}`,
    `add chain ${chain}`,
    `flush chain ${chain}`,
    `add rule ${chain} jump ${ANCHOR_CHAIN} comment ${quote(generation)}`,
  ].join('\n')}\n`;
}

function renderCommand(table: string, command: Command): string[] {
  switch (command.do) {
    case 'replace-table':
      // nft 1.0.6 has no `destroy`: adding first makes the deletion safe where there is no table.
      return [`add table ${table}`, `delete table ${table}`, `add table ${table}`];
    case 'add-container':
      return [
        `add ${containerWord(command.container)} ${table} ${command.container.name} ${containerBody(command.container)}`,
      ];
    case 'add-chain':
      return [`add chain ${table} ${command.chain.name}${chainBody(command.chain)}`];
    case 'set-rules':
      return [
        ...(command.fresh ? [] : [`flush chain ${table} ${command.chain}`]),
        ...command.rules.map((rule) => `add rule ${table} ${command.chain} ${renderRule(rule)}`),
      ];
    case 'delete-elements':
      return elementLines('delete', table, command.container, command.elements);
    case 'add-elements':
      return elementLines('add', table, command.container, command.elements);
    case 'delete-chain':
      return [`delete chain ${table} ${command.chain}`];
    case 'delete-container':
      return [`delete set ${table} ${command.container}`];
  }
}

function containerWord(container: Container): string {
  return container.kind === 'set' ? 'set' : 'map';
}

function containerBody(container: Container): string {
  const parts = [`type ${container.key.join(' . ')}${container.kind === 'verdict-map' ? ' : verdict' : ''};`];
  if (container.timeoutSeconds !== undefined)
    parts.push('flags dynamic,timeout;', `timeout ${container.timeoutSeconds}s;`);
  if (container.comment !== undefined) parts.push(`comment ${quote(container.comment)};`);
  return `{ ${parts.join(' ')} }`;
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

function elementLines(
  verb: 'add' | 'delete',
  table: string,
  container: string,
  elements: readonly Element[],
): string[] {
  const lines: string[] = [];
  for (let at = 0; at < elements.length; at += ELEMENTS_PER_LINE) {
    const texts = elements
      .slice(at, at + ELEMENTS_PER_LINE)
      .map((e) => (e.chain === undefined ? e.key : `${e.key} : goto ${e.chain}`));
    lines.push(`${verb} element ${table} ${container} { ${texts.join(', ')} }`);
  }
  return lines;
}

/** One rule's expressions and verdict. */
export function renderRule(rule: Rule): string {
  switch (rule.kind) {
    case 'jump':
      return `jump ${rule.chain}`;
    case 'jump-marked':
      return `meta mark & ${MARK} == ${MARK} jump ${rule.chain}`;
    case 'dispatch-services':
      return `ip daddr . meta l4proto . th dport vmap @${rule.map}`;
    case 'dispatch-host-ports':
      return `fib daddr type local ip daddr . meta l4proto . th dport vmap @${rule.map}`;
    // 127.0.0.0/8 cannot be redirected to another machine without route_localnet, which would open loopback to the
    // network.
    case 'dispatch-node-ports':
      return `fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @${rule.map}`;
    case 'balance':
      return `meta l4proto ${rule.protocol.toLowerCase()} ${setMark()} ${redirect(rule.targets)}`;
    case 'stick':
      return `ip saddr @${rule.set} goto ${rule.chain}`;
    case 'choose':
      return rule.chains.length === 1
        ? `goto ${rule.chains[0] ?? ''}`
        : `numgen random mod ${rule.chains.length} vmap { ${rule.chains.map((chain, i) => `${i} : goto ${chain}`).join(', ')} }`;
    case 'remember':
      return `meta l4proto ${rule.protocol.toLowerCase()} update @${rule.set} { ip saddr } ${setMark()} ${redirect([rule.target])}`;
    case 'unmark':
      return `meta mark set meta mark & ${UNMARK}`;
    case 'masquerade-hairpin':
      return `ip saddr . ip daddr @${rule.set} masquerade fully-random`;
    case 'masquerade-transit':
      return rule.local === undefined
        ? 'masquerade fully-random'
        : `ip saddr != ${rule.local} ip daddr != ${rule.local} masquerade fully-random`;
    case 'masquerade-egress':
      return `ip saddr ${rule.local} ip daddr != ${rule.pods} ip daddr != @${rule.nodes} masquerade fully-random`;
    case 'lend-address':
      return `ip saddr 127.0.0.1 ip daddr . meta l4proto . th dport @${rule.set} ip saddr set ${rule.address}`;
    case 'restore-loopback':
      return 'ct direction reply ct status dnat ct original ip daddr 127.0.0.0/8 ip daddr set 127.0.0.1';
    case 'drop-strangers':
      return `udp dport ${rule.port} ip saddr != @${rule.set} drop`;
    case 'reject':
      return `${rejectMatch(rule.match)}${rule.protocol === 'TCP' ? ' meta l4proto tcp reject with tcp reset' : ' reject with icmp port-unreachable'}`;
  }
}

function setMark(): string {
  return `meta mark set meta mark | ${MARK}`;
}

function redirect(targets: readonly Target[]): string {
  const [first] = targets;
  if (first === undefined) throw new RangeError('a redirecting rule needs a target');
  if (targets.length === 1) return `dnat to ${first.address}:${first.port}`;
  return `dnat to numgen random mod ${targets.length} map { ${targets.map((t, i) => `${i} : ${t.address} . ${t.port}`).join(', ')} }`;
}

function rejectMatch(match: RejectMatch): string {
  switch (match.what) {
    case 'range':
      return `ct state new ip daddr ${match.cidr}`;
    case 'services':
      return `ct state new ip daddr . meta l4proto . th dport @${match.set}`;
    case 'node-ports':
      return `ct state new ip daddr != 127.0.0.0/8 meta l4proto . th dport @${match.set}`;
  }
}
