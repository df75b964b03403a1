/** Where others forward, a change is two transactions with theirs in between: which command belongs into which. */
import type { ForwardingMeans } from '../data-plane/plan.ts';
import { CONTAINERS, type Command } from './model.ts';

export interface AroundChange {
  /** What is added: what is to be refused is known before nobody takes it any more. */
  readonly before: readonly Command[];
  /** What only holds for what the others did not take, and, with IPVS, leads to them what is new there. */
  readonly after: readonly Command[];
}

/** What only concerns packets that are forwarded, or that nobody forwarded. */
const AFTER_FORWARDING: ReadonlySet<string> = new Set([
  CONTAINERS.deadServices,
  CONTAINERS.deadNodePorts,
  CONTAINERS.silentServices,
  CONTAINERS.silentNodePorts,
  CONTAINERS.closedAddresses,
  CONTAINERS.loopbackPorts,
  CONTAINERS.hairpin,
]);

/**
 * With IPVS a packet is led to a virtual server only while that is there: led there after it was made, and no more before it
 * goes. A frontend that is led in another way is so in one transaction.
 */
export function splitAround(commands: readonly Command[], by: ForwardingMeans): AroundChange {
  if (by === 'nftables') return { before: commands, after: [] };
  const again = new Set(
    commands.flatMap((command) =>
      command.do === 'add-elements' && command.container.name === CONTAINERS.serviceIps
        ? command.elements.map(({ key }) => key)
        : [],
    ),
  );
  const gone = new Set(commands.flatMap((command) => (command.do === 'delete-chain' ? [command.chain] : [])));
  const before: Command[] = [];
  const after: Command[] = [];
  for (const command of commands) {
    switch (command.do) {
      case 'delete-elements': {
        if (AFTER_FORWARDING.has(command.container)) after.push(command);
        else if (by !== 'ipvs' || command.container !== CONTAINERS.serviceIps) before.push(command);
        else
          for (const [list, isAgain] of [
            [before, false],
            [after, true],
          ] as const) {
            const elements = command.elements.filter(({ key }) => again.has(key) === isAgain);
            if (elements.length > 0) list.push({ ...command, elements });
          }
        break;
      }
      case 'add-elements':
        (by === 'ipvs' && command.container.name === CONTAINERS.serviceIps ? after : before).push(command);
        break;
      case 'set-rules':
        (by === 'ipvs' && gone.has(command.chain) ? after : before).push(command);
        break;
      case 'delete-chain':
      case 'delete-container':
        (by === 'ipvs' ? after : before).push(command);
        break;
      case 'replace-table':
      case 'add-container':
      case 'add-chain':
        before.push(command);
    }
  }
  return { before, after };
}
