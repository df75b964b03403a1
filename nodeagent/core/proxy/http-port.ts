/** A port that speaks HTTP, in plain or in TLS. */
import type {
  ProxyBackend,
  ProxyFilter,
  ProxyHost,
  ProxyPort,
  ProxyRule,
  WeightedBackend,
} from '../../../contracts/objects/proxy-config.ts';
import { choiceLines, weighted, type Assembly, type Share } from './assembly.ts';
import { hostMaps } from './hosts.ts';
import { answerLines, filterLines, guardLines, redirectLines, serverLines } from './leaf.ts';
import { conditions } from './match.ts';
import { mirrorLines } from './mirror.ts';
import { pathNodes, type PathNode } from './paths.ts';
import { ruleKey, type ConfigLine, type RuleName } from './plan.ts';
import { RefusedRule } from './refused-rule.ts';
import { isKey } from './words.ts';

interface Rule {
  readonly rule: ProxyRule;
  readonly match: ProxyRule['match'];
  readonly always: boolean;
  readonly conditions: readonly string[];
  readonly of: RuleName;
}

/** Lines of the port's frontend, without its `bind`. */
export function httpPort(assembly: Assembly, port: ProxyPort): ConfigLine[] {
  const scheme = port.protocol === 'https' ? 'https' : 'http';
  const file = String(port.port);
  const lists: ConfigLine[] = [];
  const choices: ConfigLine[] = [];
  const listNames = new Map<string, string>();
  const choiceNames = new Map<string, string>();
  const targets = new Map<Rule, string>();
  const exact: string[] = [];
  const prefixes: string[] = [];

  const hosts = port.hosts.map((host, at) => ({
    hostname: host.hostname,
    ...(host.oneLabel && { oneLabel: host.oneLabel }),
    id: String(at),
    nodes: pathNodes(rulesOf(host)),
  }));
  /** No path of any host is anything but a host's one way: the host's map says where it goes. */
  const pathless = hosts.every(
    ({ nodes }) => nodes.length === 0 || (nodes.length === 1 && nodes[0]?.type === 'prefix' && nodes[0].value === '/'),
  );

  function rulesOf(host: ProxyHost): Rule[] {
    return (host.rules ?? []).flatMap((rule): Rule[] => {
      const of = { port: port.port, hostname: host.hostname, origin: rule.origin };
      const { path } = rule.match;
      if (path !== undefined && path.type !== 'regex' && !isKey(path.value)) {
        assembly.problem(port.port, `${rule.origin}: path ${JSON.stringify(path.value)} is none of a request`);
        return [];
      }
      try {
        const refusal = assembly.refused.get(ruleKey(of));
        if (refusal?.matches) throw new RefusedRule(refusal.why);
        const found = conditions(rule.match);
        return [{ rule, match: rule.match, always: found.length === 0, conditions: found, of }];
      } catch (error) {
        if (!(error instanceof RefusedRule)) throw error;
        assembly.problem(port.port, `${rule.origin}: ${error.message}`);
        return [];
      }
    });
  }

  /** What `txn.r` has to be for a rule: a leaf, or a choice among several. The same at all paths. */
  function target(rule: Rule): string {
    const known = targets.get(rule) ?? makeTarget(rule);
    targets.set(rule, known);
    return known;
  }

  function makeTarget({ rule, of }: Rule): string {
    try {
      const refusal = assembly.refused.get(ruleKey(of));
      if (refusal) throw new RefusedRule(refusal.why);
      return actionTarget(rule, of);
    } catch (error) {
      if (!(error instanceof RefusedRule)) throw error;
      assembly.problem(port.port, `${rule.origin}: ${error.message}`);
      return assembly.leaf(answerLines(500), undefined, of);
    }
  }

  function actionTarget(rule: ProxyRule, of: RuleName): string {
    const guards = guardsOf(rule, of);
    const { path } = rule.match;
    switch (rule.action.type) {
      case 'answer':
        return assembly.leaf([...guards, ...answerLines(rule.action.status, rule.action.body)], undefined, of);
      case 'redirect': {
        const lines = redirectLines(rule.action, path, scheme);
        return assembly.leaf([...guards, ...filterLines(rule.filters, path), ...lines], undefined, of);
      }
      case 'forward': {
        const shares = weighted(rule.action.to).map((to): Share => ({
          leaf: forwardLeaf(rule, to, guards, of),
          weight: to.weight,
        }));
        const [only] = shares;
        if (only === undefined) return assembly.leaf([...guards, ...answerLines(500)], undefined, of);
        return shares.length === 1 ? only.leaf : choice(shares, of);
      }
    }
  }

  function guardsOf(rule: ProxyRule, of: RuleName): string[] {
    const sources = rule.allowedSources;
    return guardLines(
      rule,
      sources === undefined
        ? undefined
        : assembly.list(
            'sources',
            sources.filter((cidr) => /^[0-9a-fA-F.:/]+$/.test(cidr)),
          ),
      rule.basicAuth && assembly.users(port.port, rule.basicAuth.secret, of),
    );
  }

  function forwardLeaf(rule: ProxyRule, to: WeightedBackend, guards: readonly string[], of: RuleName): string {
    const backend = assembly.backends.get(to.backend);
    if (backend === undefined) return assembly.leaf([...guards, ...answerLines(500)], undefined, of);
    const filters = [...rule.filters, ...(to.filters ?? [])];
    if (to.redirect !== undefined) {
      const lines = redirectLines(to.redirect, rule.match.path, scheme);
      return assembly.leaf([...guards, ...filterLines(filters, rule.match.path), ...lines], undefined, of);
    }
    const servers = serverLines(rule, backend, trustOf(backend));
    return assembly.leaf(
      [...guards, ...filterLines(filters, rule.match.path), ...mirrorsOf(filters, of), ...servers],
      backend.name,
      of,
    );
  }

  function mirrorsOf(filters: readonly ProxyFilter[], of: RuleName): string[] {
    return filters.flatMap((filter, nth): string[] => {
      const backend = filter.type === 'mirror' ? assembly.backends.get(filter.backend) : undefined;
      if (filter.type !== 'mirror' || backend === undefined) return [];
      const to = assembly.leaf(serverLines({}, backend, trustOf(backend)), backend.name, of);
      assembly.mirrors.push(of);
      return mirrorLines(filter, to, nth);
    });
  }

  function trustOf({ verify }: ProxyBackend): string | undefined {
    return verify && assembly.trust(verify.caCertificates);
  }

  function choice(shares: readonly Share[], of: RuleName): string {
    const key = JSON.stringify(shares);
    const known = choiceNames.get(key);
    if (known !== undefined) return known;
    const name = `C${choiceNames.size}`;
    choiceNames.set(key, name);
    const lines = choiceLines('http-request', name, shares, { result: 'txn.r', draw: 'txn.d' });
    choices.push(...lines.map((text) => ({ text, of: [of] })));
    return name;
  }

  /** What `txn.r` has to be for a place: its one rule's target, or the list to go through. */
  function nodeTarget({ value, rules, isOver }: PathNode<Rule>, hostname: string): string {
    if (isOver) {
      const host = hostname === '' ? 'any host name' : hostname;
      assembly.problem(port.port, `${host} has more rules at its paths than there is room for, ${value} among them`);
      return assembly.leaf(answerLines(500), undefined, { port: port.port, hostname, origin: `paths of ${host}` });
    }
    const steps = rules.map((rule) => ({ rule, to: target(rule) }));
    const [first] = steps;
    if (first?.rule.always) return first.to;
    const key = JSON.stringify(steps.map(({ rule, to }) => [rule.conditions, to]));
    const known = listNames.get(key);
    if (known !== undefined) return known;
    const name = `L${listNames.size}`;
    listNames.set(key, name);
    for (const [at, { rule, to }] of steps.entries()) {
      const acls = rule.conditions.map((condition, nth) => ({ acl: `${name}.${at}.${nth}`, condition }));
      for (const { acl, condition } of acls)
        lists.push({ text: `  acl ${acl} ${condition}`, of: [rule.of], matches: true });
      lists.push({
        text: `  http-request set-var(txn.r) str(${to}) if ${[`{ var(txn.r) -m str ${name} }`, ...acls.map(({ acl }) => acl)].join(' ')}`,
        of: [rule.of],
      });
    }
    return name;
  }

  const only = hosts.length === 1 && hosts[0]?.hostname === '';
  const valueOf = ({ id, nodes, hostname }: (typeof hosts)[number]): string => {
    if (!pathless) return id;
    const [node] = nodes;
    return node === undefined ? 'none' : nodeTarget(node, hostname);
  };
  const lookup = hostMaps(hosts, valueOf, {
    on: 'http-request',
    name: 'txn.n',
    parent: 'txn.s',
    result: pathless ? 'txn.r' : 'txn.h',
    port: file,
  });
  for (const [name, text] of lookup.files) assembly.files.set(name, text);
  for (const hostname of lookup.unusable)
    assembly.problem(port.port, `hostname ${JSON.stringify(hostname)} is none of a request`);

  // A client that keeps its connection hears with its next answer that it ends, not in the middle of a request.
  const lines = ['  option idle-close-on-response'];
  if (!only) lines.push('  http-request set-var(txn.n) req.hdr(host),host_only,lower');
  lines.push(...lookup.lines);
  if (!pathless) {
    for (const { id, nodes, hostname } of hosts)
      for (const node of nodes) {
        const to = nodeTarget(node, hostname);
        if (node.type === 'exact') exact.push(`${id}${node.value} ${to}`);
        else prefixes.push(`${id}${node.value === '/' ? '/' : `${node.value}/`} ${to}`);
      }
    lines.push(
      '  http-request set-var(txn.p) path',
      '  http-request set-var(txn.k) var(txn.h),concat(,txn.p)',
      ...pathLookups(assembly, file, exact, prefixes),
    );
  }
  return [
    ...lines.map((text) => ({ text })),
    ...lists,
    ...choices,
    ...forwardedLines(scheme).map((text) => ({ text })),
    { text: '  use_backend %[var(txn.r)] if { var(txn.r) -m found }' },
    { text: '  default_backend none' },
  ];
}

/** As ingress controllers set them: what a client says of itself is not passed on. */
function forwardedLines(scheme: string): string[] {
  return [
    '  http-request set-header x-forwarded-for %[src]',
    `  http-request set-header x-forwarded-proto ${scheme}`,
    '  http-request set-header x-forwarded-host %[req.hdr(host)]',
  ];
}

function pathLookups(
  assembly: Assembly,
  file: string,
  exact: readonly string[],
  prefixes: readonly string[],
): string[] {
  const lines: string[] = [];
  if (exact.length > 0) {
    assembly.files.set(`exact-${file}.map`, `${exact.join('\n')}\n`);
    lines.push(`  http-request set-var(txn.r) var(txn.k),map_str(exact-${file}.map)`);
  }
  if (prefixes.length > 0) {
    assembly.files.set(`prefix-${file}.map`, `${prefixes.join('\n')}\n`);
    const unless = exact.length > 0 ? ' if !{ var(txn.r) -m found }' : '';
    lines.push(`  http-request set-var(txn.r) var(txn.k),concat(/),map_beg(prefix-${file}.map)${unless}`);
  }
  return lines;
}
