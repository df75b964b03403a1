/** The kernel's connection tracker, by the program `conntrack`: the same whichever packet filter redirects. */
import type { Family } from '../../../contracts/ip.ts';
import type { Flow, StaleFlow } from '../../core/data-plane/flows.ts';
import type { PacketFilter } from '../../ports/packet-filter.ts';
import { isMissingProgram, type RunCommand } from '../../ports/run-command.ts';

const FAMILY: Readonly<Record<Family, string>> = { IPv4: 'ipv4', IPv6: 'ipv6' };

export function createConntrack(run: RunCommand, family: Family): Pick<PacketFilter, 'forgetFlows' | 'flows'> {
  return {
    async forgetFlows(flows, signal) {
      for (const flow of flows) {
        try {
          // Exit code 1 also means that there was no such flow, which is what is wanted.
          await run(['conntrack', '-D', '-f', FAMILY[family], ...flowFilter(flow)], { signal });
        } catch (error) {
          if (isMissingProgram(error)) return 'unsupported';
          throw error;
        }
      }
      return 'done';
    },

    async flows(of, signal) {
      const [protocol, ...state] = of === 'UDP' ? ['UDP' as const] : ['TCP' as const, '--state', 'SYN_SENT'];
      try {
        const { code, stdout, stderr } = await run(
          ['conntrack', '-L', '-f', FAMILY[family], '-p', protocol.toLowerCase(), ...state],
          { signal },
        );
        if (code !== 0) throw new Error(`conntrack -L failed: ${stderr.trim().slice(0, 300)}`);
        return parseFlows(protocol, stdout);
      } catch (error) {
        if (isMissingProgram(error)) return [];
        throw error;
      }
    },
  };
}

function flowFilter(flow: StaleFlow): string[] {
  return [
    '-p',
    flow.protocol.toLowerCase(),
    ...(flow.unanswered ? ['--state', 'SYN_SENT'] : []),
    ...(flow.address === undefined ? [] : ['--orig-dst', flow.address]),
    '--orig-port-dst',
    String(flow.port),
    ...(flow.endpoint === undefined ? [] : ['--reply-src', flow.endpoint]),
  ];
}

/** From `conntrack -L`: each line has the client's direction (src, dst, sport, dport) and then the answers'. */
export function parseFlows(protocol: Flow['protocol'], listing: string): Flow[] {
  return listing.split('\n').flatMap((line) => {
    const destinations = [...line.matchAll(/\bdst=(\S+)/g)].map((m) => m[1]);
    const sources = [...line.matchAll(/\bsrc=(\S+)/g)].map((m) => m[1]);
    const port = Number(/\bdport=(\d+)/.exec(line)?.[1]);
    const [address, endpoint] = [destinations[0], sources[1]];
    return address === undefined || endpoint === undefined || Number.isNaN(port)
      ? []
      : [{ protocol, address, port, endpoint }];
  });
}
