/** Brings a ProxyConfig into force by a new configuration, without what the proxy does not take of it. */
import type { Clock } from '../ports/clock.ts';
import { ruleKey, type ProxyPlan, type ProxySecrets, type Refusal } from '../core/proxy/plan.ts';
import { configLines, editionOf, planProxy, refusedBy, refusedCertificates } from '../core/proxy/render.ts';
import { placesFor, sizesOf, type Servers, type TargetsOf } from '../core/proxy/servers.ts';
import { runningOf, type RunningServer } from '../core/proxy/slots.ts';
import { hashOf } from '../core/proxy/words.ts';
import type { ProxyConfig } from '../../contracts/objects/proxy-config.ts';
import type { Proxy } from '../ports/proxy.ts';

/** What the running process was given last. */
export interface InForce {
  readonly edition: string;
  readonly plan: ProxyPlan;
  readonly servers: Map<string, readonly RunningServer[]>;
  /** Contents by file; one that is not known is missing. */
  readonly certificates: Map<string, string>;
}

export interface Wanted {
  readonly config: ProxyConfig;
  readonly secrets: ProxySecrets;
  readonly targets: TargetsOf;
  /** Address of the machine that servers are asked from. */
  readonly source: string | undefined;
}
type Planned = Pick<Wanted, 'config' | 'secrets' | 'source'>;

export interface Reloader {
  plan(wanted: Planned): ProxyPlan;
  /** The plan as it could be brought into force; or why not, and what ran before runs on. */
  reload(
    proxy: Proxy,
    wanted: Wanted,
    now: { readonly edition?: string; readonly ports: readonly number[]; readonly servers: Servers },
    signal: AbortSignal,
  ): Promise<InForce | { readonly failure: string }>;
  /** Whether a port that another program had is free by now. */
  hasFreed(proxy: Proxy): Promise<boolean>;
  /** Leaves out a certificate with its key that the proxy did not take, as long as its Secret has it. */
  refuse(pem: string, why: string): void;
  /** Another ProxyConfig: what was not taken of the one before may be taken of it. */
  forget(): void;
}

/** Each leaves out the rules that the proxy complains of. */
const MOST_ROUNDS = 10;
const MOST_REFUSED = 1000;

export function createReloader(): Reloader {
  const refused = new Map<string, Refusal>();
  const refusedPairs = new Map<string, string>();
  const blocked = new Map<number, string>();

  function refuse(pem: string, why: string): void {
    if (refusedPairs.size >= MOST_REFUSED) refusedPairs.clear();
    refusedPairs.set(hashOf(pem), `the proxy does not take it: ${why}`);
  }

  /** Those that are not refused. */
  const usable = (secrets: ProxySecrets): ProxySecrets => ({
    ...secrets,
    certificate(name) {
      const found = secrets.certificate(name);
      const why = 'pem' in found && refusedPairs.size > 0 ? refusedPairs.get(hashOf(found.pem)) : undefined;
      return why === undefined ? found : { problem: `secret ${name.namespace}/${name.name}: ${why}` };
    },
  });

  /** Notes ports, not known before, that another program listens on. */
  async function findBlocked(proxy: Proxy, ports: readonly number[], own: readonly number[]): Promise<boolean> {
    const before = blocked.size;
    for (const port of ports)
      if (!own.includes(port) && !(await proxy.isFree(port)))
        blocked.set(port, `port ${port} is in use by another program of the machine`);
    return blocked.size > before;
  }

  const makePlan = ({ config, secrets, source }: Planned): ProxyPlan =>
    planProxy({ config, secrets: usable(secrets), source, refused, blocked });

  return {
    plan: makePlan,
    async reload(proxy, wanted, now, signal) {
      let complaints = '';
      for (let round = 0; round < MOST_ROUNDS; round += 1) {
        let plan = makePlan(wanted);
        if (await findBlocked(proxy, plan.ports, now.ports)) plan = makePlan(wanted);
        const slots = placesFor(plan, now.servers, wanted.targets);
        const edition = editionOf(plan, sizesOf(slots), proxy.places);
        if (edition === now.edition) return { edition, plan, servers: new Map(now.servers), certificates: new Map() };
        const lines = configLines(plan, slots, edition, proxy.places);
        const certificates = certificatesOf(plan, wanted.secrets);
        const config = `${lines.map(({ text }) => text).join('\n')}\n`;
        const outcome = await proxy.load(edition, { config, files: plan.files, certificates }, signal);
        if (outcome.ok) {
          const servers = new Map([...slots].map(([name, places]) => [name, runningOf(places)]));
          return { edition, plan, servers, certificates };
        }
        ({ complaints } = outcome);
        const before = refused.size + refusedPairs.size;
        for (const [rule, refusal] of refusedBy(complaints, lines)) refused.set(ruleKey(rule), refusal);
        for (const [file, why] of refusedCertificates(complaints)) {
          const pem = certificates.get(file);
          if (pem !== undefined) refuse(pem, why);
        }
        if (refused.size + refusedPairs.size === before) break;
      }
      return { failure: firstAlert(complaints) };
    },
    async hasFreed(proxy) {
      for (const port of blocked.keys())
        if (await proxy.isFree(port)) {
          blocked.delete(port);
          return true;
        }
      return false;
    },
    refuse,
    forget() {
      refused.clear();
      refusedPairs.clear();
      blocked.clear();
    },
  };
}

function certificatesOf(plan: ProxyPlan, secrets: ProxySecrets): Map<string, string> {
  return new Map(
    plan.certificates.flatMap(({ file, secret }) => {
      const found = secrets.certificate(secret);
      return 'pem' in found ? [[file, found.pem] as const] : [];
    }),
  );
}

/** What a person can act on, of all that the proxy said. */
function firstAlert(complaints: string): string {
  const alerts = complaints.split('\n').filter((line) => line.includes('[ALERT]'));
  const first = alerts.find((line) => !/Error\(s\) found|Fatal errors found/.test(line)) ?? complaints;
  return first
    .replace(/^\[ALERT\]\s+(\(\d+\) : )?/, '')
    .trim()
    .slice(0, 500);
}

/** Reloads not before their time: large configurations do not take the machine. */
export interface ReloadPause {
  /** Milliseconds that are left. */
  left(): number;
  /** One that took so long is over. */
  rest(tookMs: number, failed: boolean): void;
  end(): void;
}

/** After a reload, so many times what it took nothing is reloaded. */
const REST = 4;
const LEAST_PAUSE_MS = 1000;
const FAILED_PAUSE_MS = 10_000;

/** `ms`: always so long; by the time that a reload takes when absent. */
export function reloadPause(clock: Clock, ms?: number): ReloadPause {
  let next = 0;
  return {
    left: () => Math.max(0, next - clock.monotonic()),
    rest(tookMs, failed) {
      const least = failed ? FAILED_PAUSE_MS : LEAST_PAUSE_MS;
      next = clock.monotonic() + (ms ?? Math.max(least, REST * tookMs));
    },
    end() {
      next = 0;
    },
  };
}
