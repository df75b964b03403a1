/** What the parts of a plan are gathered in while it is made: leaves without doubles, files, problems. */
import { readAuthorities, type ReadPem } from '../../../contracts/certificates.ts';
import type { ProxyBackend, SecretName, WeightedBackend } from '../../../contracts/objects/proxy-config.ts';
import type { CertificateFile, ConfigLine, Leaf, ProxyProblem, ProxySecrets, RefusedRules, RuleName } from './plan.ts';
import { usersOf, type Users } from './passwords.ts';
import { RefusedRule } from './refused-rule.ts';
import { hashOf } from './words.ts';

/** Milliseconds that passwords of one Secret, and of all together, may add to each reload; see {@link usersOf}. */
const MOST_OF_SECRET = 2000;
const MOST_OF_ALL = 10_000;

export class Assembly {
  readonly files = new Map<string, string>();
  readonly problems: ProxyProblem[] = [];
  /** Rules that send copies of requests. */
  readonly mirrors: RuleName[] = [];
  readonly userlists = new Map<string, ConfigLine[]>();
  private readonly sections = new Map<string, Leaf & { of: RuleName[] }>();
  private readonly certificateFiles = new Map<string, CertificateFile>();
  private readonly told = new Set<string>();
  private readonly trusts = new Map<string, ReadPem>();
  private readonly usersBySecret = new Map<string, Users>();
  private passwordsLeft = MOST_OF_ALL;

  readonly secrets: ProxySecrets;
  readonly refused: RefusedRules;
  readonly backends: ReadonlyMap<string, ProxyBackend>;

  constructor(secrets: ProxySecrets, refused: RefusedRules, backends: ReadonlyMap<string, ProxyBackend>) {
    this.secrets = secrets;
    this.refused = refused;
    this.backends = backends;
  }

  get leaves(): readonly Leaf[] {
    return [...this.sections.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get certificates(): readonly CertificateFile[] {
    return [...this.certificateFiles.values()];
  }

  /** Each once. */
  problem(port: number | undefined, message: string): void {
    const key = `${port ?? ''} ${message}`;
    if (this.told.has(key)) return;
    this.told.add(key);
    this.problems.push({ ...(port !== undefined && { port }), message: message.slice(0, 1000) });
  }

  /** Name of the section with these lines. */
  leaf(lines: readonly string[], backend: string | undefined, of: RuleName): string {
    const what = backend?.replace(/[^A-Za-z0-9]+/g, '.').slice(0, 80) ?? 'own';
    const name = `${what}-${hashOf(backend ?? '', ...lines).slice(0, 12)}`;
    const known = this.sections.get(name);
    if (known) known.of.push(of);
    else this.sections.set(name, { name, lines, ...(backend !== undefined && { backend }), of: [of] });
    return name;
  }

  /** Name of the file; undefined, and told, where the Secret has none to use. */
  certificate(port: number, secret: SecretName): string | undefined {
    const file = `cert-${hashOf(secret.namespace, secret.name).slice(0, 16)}.pem`;
    const found = this.secrets.certificate(secret);
    if ('problem' in found) {
      this.problem(port, found.problem);
      return undefined;
    }
    this.certificateFiles.set(file, { file, secret });
    return file;
  }

  /** Name of the userlist; undefined, and told, without the Secret. */
  users(port: number, secret: SecretName, of: RuleName): string | undefined {
    const called = `secret ${secret.namespace}/${secret.name}`;
    const text = this.secrets.passwords(secret);
    if (text === undefined) {
      this.problem(port, `${called} with key auth is not there: requests are refused`);
      return undefined;
    }
    const users = this.usersBySecret.get(called) ?? usersOf(text, Math.min(MOST_OF_SECRET, this.passwordsLeft));
    if (!this.usersBySecret.has(called)) {
      this.usersBySecret.set(called, users);
      this.passwordsLeft -= users.cost;
    }
    const { name, lines, leftOut, tooDear } = users;
    if (leftOut.length > 0)
      this.problem(
        port,
        `${called}: passwords of ${leftOut.length} users are in a form that is not checked ($apr1$, {SHA}, scrypt and yescrypt are not); use bcrypt`,
      );
    if (tooDear.length > 0)
      this.problem(
        port,
        `${called}: passwords of ${tooDear.length} users take too long to check and are left out; use bcrypt with a cost of 5 to 10, or fewer users`,
      );
    if (!this.userlists.has(name))
      this.userlists.set(
        name,
        [`userlist ${name}`, ...lines].map((text) => ({ text, of: [of] })),
      );
    return name;
  }

  /**
   * Name of the file with these authorities; undefined for those of the system. Throws a {@link RefusedRule} where there is
   * none in it.
   */
  trust(caCertificates: string): string | undefined {
    if (caCertificates.trim() === '') return undefined;
    const found = this.trusts.get(caCertificates) ?? readAuthorities(caCertificates);
    this.trusts.set(caCertificates, found);
    if ('problem' in found) throw new RefusedRule(`what the backend is held against ${found.problem}`);
    return this.list('ca', [found.pem]);
  }

  /** Name of the file with these lines. */
  list(kind: string, lines: readonly string[]): string {
    const text = `${lines.join('\n')}\n`;
    const file = `${kind}-${hashOf(text).slice(0, 16)}.txt`;
    this.files.set(file, text);
    return file;
  }
}

/** A share of requests, by what stands for it. */
export interface Share {
  readonly leaf: string;
  readonly weight: number;
}

/**
 * Lines that put one of the shares in `result` where `choice` is in it. Weights beyond what 32 bits hold are scaled.
 */
export function choiceLines(
  on: string,
  choice: string,
  shares: readonly Share[],
  variables: { readonly result: string; readonly draw: string },
): string[] {
  const most = 2 ** 30;
  const sum = shares.reduce((all, { weight }) => all + weight, 0);
  const scale = sum > most ? most / sum : 1;
  const weights = shares.map(({ weight }) => Math.max(1, Math.round(weight * scale)));
  const total = weights.reduce((all, weight) => all + weight, 0);
  const chosen = `{ var(${variables.result}) -m str ${choice} }`;
  let upTo = 0;
  return [
    `  ${on} set-var(${variables.draw}) rand(${total}) if ${chosen}`,
    ...shares.map(({ leaf }, at) => {
      upTo += weights[at] ?? 0;
      return `  ${on} set-var(${variables.result}) str(${leaf}) if ${chosen} { var(${variables.draw}) -m int lt ${upTo} }`;
    }),
  ];
}

/** Those with a weight. */
export function weighted(to: readonly WeightedBackend[]): readonly WeightedBackend[] {
  return to.filter(({ weight }) => weight > 0);
}
