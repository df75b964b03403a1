/** A port whose connections are passed on as bytes: by the name that TLS says first, or all alike. */
import type { ProxyHost, ProxyPort } from '../../../contracts/objects/proxy-config.ts';
import { choiceLines, weighted, type Assembly, type Share } from './assembly.ts';
import { hostMaps } from './hosts.ts';
import type { ConfigLine, RuleName } from './plan.ts';

/** Lines of a frontend behind its `bind`. `name`: how the client's word for the host is read; absent for plain bytes. */
export function connectionLines(
  assembly: Assembly,
  port: ProxyPort,
  hosts: readonly ProxyHost[],
  options: {
    readonly file: string;
    readonly name: string | undefined;
    /** Where the connections of some hosts go instead. */
    readonly elsewhere?: ReadonlyMap<ProxyHost, string>;
  },
): ConfigLine[] {
  const on = 'tcp-request content';
  const choices: string[] = [];
  const of: RuleName = { port: port.port, hostname: '', origin: `port ${port.port}` };

  function target(host: ProxyHost): string {
    const elsewhere = options.elsewhere?.get(host);
    if (elsewhere !== undefined) return elsewhere;
    const shares = weighted(host.forward ?? []).map(({ backend, weight }): Share => ({
      weight,
      leaf: assembly.leaf(
        assembly.backends.has(backend) ? ['  mode tcp'] : ['  mode tcp', '  tcp-request content reject'],
        assembly.backends.has(backend) ? backend : undefined,
        of,
      ),
    }));
    const [only] = shares;
    if (only === undefined) return 'nothing';
    if (shares.length === 1) return only.leaf;
    const name = `C${choices.length}`;
    choices.push(...choiceLines(on, name, shares, { result: 'sess.r', draw: 'sess.d' }));
    return name;
  }

  const lookup = hostMaps(hosts, target, {
    on,
    name: 'sess.n',
    parent: 'sess.s',
    result: 'sess.r',
    port: options.file,
  });
  for (const [name, text] of lookup.files) assembly.files.set(name, text);
  for (const hostname of lookup.unusable)
    assembly.problem(port.port, `hostname ${JSON.stringify(hostname)} is none that a client can say`);
  return [
    ...(options.name === undefined ? [] : [`  ${on} set-var(sess.n) ${options.name}`]),
    ...lookup.lines,
    ...choices,
    `  ${on} reject if !{ var(sess.r) -m found }`,
    '  use_backend %[var(sess.r)]',
    '  default_backend nothing',
  ].map((text) => ({ text }));
}
