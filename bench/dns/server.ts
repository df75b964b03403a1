/**
 * The agent's DNS server in a process of its own, as the loop is in the agent: over an assignment with `SERVICES` Services
 * and as many endpoints. Ends with its standard input.
 */
import { randomInt } from 'node:crypto';
import { dnsSockets } from '../../nodeagent/adapters/dns/dns-sockets.ts';
import { systemClock } from '../../nodeagent/adapters/system/clock.ts';
import { NO_LOCAL_PODS } from '../../nodeagent/core/local-pods.ts';
import { startDnsServer } from '../../nodeagent/loops/dns-server.ts';
import { cluster, endpoint, node, service, slice, TestAssignment } from '../../test/unit/network/world.ts';
import { addressOf, nameOf, PORT, SERVER } from './zone.ts';

const count = Number(process.argv[2]);
const services = Array.from({ length: count }, (_, i) =>
  service(nameOf(i), addressOf(i), [{ name: 'http', port: 80 }]),
);
const objects = services.flatMap((one, i) => [one, slice(one, [endpoint(addressOf(i))])]);
const dns = startDnsServer({
  assignment: new TestAssignment('n', [cluster(), node('n', '198.18.0.1', '198.19.1.0/24'), ...objects]),
  pods: NO_LOCAL_PODS,
  sockets: dnsSockets,
  clock: systemClock,
  log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  ofHost: () => Promise.resolve({ etc: undefined, behindStub: undefined }),
  randomId: () => randomInt(65_536),
  onEvent: () => undefined,
  at: { address: SERVER, port: PORT },
});
await dns.listening();
process.stdout.write('ready\n');
process.stdin.on('end', () => process.exit(0)).resume();
