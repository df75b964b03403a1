/** What a proxy's configuration is made of, before the addresses of endpoints are in it. Plain data. */
import type { SecretName } from '../../../contracts/objects/proxy-config.ts';

/** A rule of the ProxyConfig, as it is told of to people. */
export interface RuleName {
  readonly port: number;
  readonly hostname: string;
  readonly origin: string;
}

/** What is not in force, of one port or of all. */
export interface ProxyProblem {
  readonly port?: number;
  readonly message: string;
}

/** One line of the configuration, and whose it is: who is told, and left out, when HAProxy does not take it. */
export interface ConfigLine {
  readonly text: string;
  readonly of?: readonly RuleName[];
  /** It says what the rule takes, not what becomes of that. */
  readonly matches?: true;
}

/**
 * A section `backend`: what becomes of a request, or a connection, once it is known which rule and which of its backends
 * takes it. Equal ones are one.
 */
export interface Leaf {
  /** Unique, and the same as long as the section is. */
  readonly name: string;
  readonly lines: readonly string[];
  /** ProxyBackend whose endpoints are its servers; absent where the proxy itself answers. */
  readonly backend?: string;
  readonly of: readonly RuleName[];
}

/** A certificate with its key. Its content may change without a reload. */
export interface CertificateFile {
  readonly file: string;
  readonly secret: SecretName;
}

export interface ProxyPlan {
  /** Address that servers are asked from; the machine's own when absent. */
  readonly source?: string;
  /** That are listened on. */
  readonly ports: readonly number[];
  /** Sections before those of the leaves. */
  readonly head: readonly ConfigLine[];
  readonly leaves: readonly Leaf[];
  /** Maps and lists, by name, beside the configuration. */
  readonly files: ReadonlyMap<string, string>;
  readonly certificates: readonly CertificateFile[];
  readonly problems: readonly ProxyProblem[];
}

/** What the node knows of Secrets that a ProxyConfig names. */
export interface ProxySecrets {
  /** Certificates and key as one PEM; or why there is none to use. */
  certificate(secret: SecretName): { readonly pem: string } | { readonly problem: string };
  /** What is in key `auth`; undefined where it is not there. */
  passwords(secret: SecretName): string | undefined;
}

/** Why HAProxy did not take a rule. It is left out where it `matches` what cannot be matched; else it is answered 500. */
export interface Refusal {
  readonly why: string;
  readonly matches: boolean;
}

/** By {@link ruleKey}. */
export type RefusedRules = ReadonlyMap<string, Refusal>;

export function ruleKey({ port, hostname, origin }: RuleName): string {
  return `${port} ${hostname} ${origin}`;
}
