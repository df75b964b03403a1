/** `Routing` on iproute2's `ip` and `bridge`, and on `wg`. */
import { NODE_NAMES } from '../../../contracts/agent/places.ts';
import { ROUTE_PROTOCOL, type RoutingSnapshot, type RoutingStep } from '../../core/routes/model.ts';
import type { Routing, WireGuardKey } from '../../ports/routing.ts';
import type { RunCommand } from '../../ports/run-command.ts';
import { inspectWireGuard, prepareWireGuard } from './wireguard.ts';
import {
  BRIDGE_SETTINGS,
  parseBridges,
  parseForwarding,
  parseLinks,
  parseNeighbours,
  parseRoutes,
  parseVxlan,
} from './json.ts';

export interface IpRoutingSettings {
  readonly run: RunCommand;
  /** The machine's key, made where it has none. */
  readonly key: () => Promise<WireGuardKey>;
}

/** A step failed: which, and what the tool said. */
export class RoutingStepError extends Error {
  override readonly name = 'RoutingStepError';
}

export function createIpRouting({ run, key }: IpRoutingSettings): Routing {
  const json = async (signal: AbortSignal, argv: readonly string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await run(argv, { signal });
    if (code !== 0) throw new RoutingStepError(`\`${argv.join(' ')}\` failed: ${stderr.trim()}`);
    return stdout.trim() === '' ? [] : JSON.parse(stdout);
  };

  /** Those that are there. */
  const settings = async (paths: readonly string[], signal: AbortSignal): Promise<Readonly<Record<string, string>>> => {
    const values: Record<string, string> = {};
    for (const path of paths) {
      const { code, stdout } = await run(['cat', `/proc/sys/${path}`], { signal });
      if (code === 0) values[path] = stdout.trim();
    }
    return values;
  };

  return {
    async inspect(sysctls, signal, families = ['IPv4']): Promise<RoutingSnapshot> {
      const each = async (words: (family: string) => readonly string[]): Promise<readonly unknown[]> => {
        const found: unknown[] = [];
        for (const family of families) found.push(await json(signal, words(family === 'IPv4' ? '-4' : '-6')));
        return found;
      };
      const links = parseLinks(await json(signal, ['ip', '-j', 'address', 'show']));
      const ours = ['route', 'show', 'table', 'all', 'proto', String(ROUTE_PROTOCOL)];
      const routes = (await each((family) => ['ip', '-j', family, ...ours])).flatMap(parseRoutes);
      const device = NODE_NAMES.vxlanDevice;
      const link = links.find((l) => l.name === device);
      const vxlan =
        link &&
        parseVxlan(
          await json(signal, ['ip', '-j', '-d', 'link', 'show', 'dev', device]),
          link,
          parseForwarding(await json(signal, ['bridge', '-j', 'fdb', 'show', 'dev', device])),
          (await each((family) => ['ip', '-j', family, 'neighbour', 'show', 'dev', device])).flatMap(parseNeighbours),
        );
      const tunnel = links.find((l) => l.name === NODE_NAMES.wireguardDevice);
      const wireguard = tunnel && (await inspectWireGuard(run, tunnel, signal));
      return { links, routes, vxlan, wireguard, sysctls: await settings(sysctls, signal) };
    },

    async bridges(signal) {
      const found = await json(signal, ['ip', '-j', '-d', 'address', 'show', 'type', 'bridge']);
      return parseBridges(found, await settings(Object.values(BRIDGE_SETTINGS), signal));
    },

    prepareWireGuard: async (signal) => prepareWireGuard(run, await key(), signal),

    async apply(steps, signal) {
      for (const group of groupByTool(steps)) {
        const [first] = group;
        if (first?.tool === 'sysctl') await writeSetting(run, first, signal);
        else if (first?.tool === 'wg') await runAlone(run, ['wg', ...first.args], signal);
        else if (first)
          await runBatch(
            run,
            first.tool,
            group.flatMap((s) => (s.tool === 'sysctl' ? [] : [s.args])),
            signal,
          );
      }
    },
  };
}

/** Consecutive steps of one tool; a sysctl and what has no batches stand alone. */
function groupByTool(steps: readonly RoutingStep[]): RoutingStep[][] {
  const groups: RoutingStep[][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    if (last && step.tool !== 'sysctl' && step.tool !== 'wg' && last[0]?.tool === step.tool) last.push(step);
    else groups.push([step]);
  }
  return groups;
}

async function runBatch(
  run: RunCommand,
  tool: 'ip' | 'bridge',
  commands: readonly (readonly string[])[],
  signal: AbortSignal,
): Promise<void> {
  // iproute2 splits batch lines at white space; every word of ours is a name, a number or an address.
  const lines = commands.map((words) => words.join(' '));
  const { code, stderr } = await run([tool, '-batch', '-'], { signal, input: `${lines.join('\n')}\n` });
  if (code === 0) return;
  const at = /Command failed -:(\d+)/.exec(stderr)?.[1];
  const line = at === undefined ? lines.join('; ') : lines[Number(at) - 1];
  throw new RoutingStepError(`\`${tool} ${line ?? ''}\` failed: ${stderr.split('\n')[0] ?? ''}`);
}

async function runAlone(run: RunCommand, argv: readonly string[], signal: AbortSignal): Promise<void> {
  const { code, stderr } = await run(argv, { signal });
  if (code !== 0)
    throw new RoutingStepError(`\`${argv.slice(0, 6).join(' ')}\` failed: ${stderr.split('\n')[0] ?? ''}`);
}

async function writeSetting(
  run: RunCommand,
  step: Extract<RoutingStep, { tool: 'sysctl' }>,
  signal: AbortSignal,
): Promise<void> {
  const { code, stderr } = await run(['tee', `/proc/sys/${step.path}`], { signal, input: step.value });
  if (code !== 0)
    throw new RoutingStepError(`cannot set ${step.path.replaceAll('/', '.')} to ${step.value}: ${stderr.trim()}`);
}
