/** Commands as `ipvsadm --restore` reads them, and addresses of virtual servers as `ip -batch` does. */
import type { Protocol } from '../data-plane/plan.ts';
import type { IpvsCommand } from './diff.ts';
import type { VirtualServer } from './model.ts';

const OPTION: Readonly<Record<Protocol, string>> = { TCP: '-t', UDP: '-u', SCTP: '--sctp-service' };
const LETTER = {
  add: '-A',
  edit: '-E',
  delete: '-D',
  'add-target': '-a',
  'edit-target': '-e',
  'delete-target': '-d',
} as const;

/** A line each. */
export function renderCommands(commands: readonly IpvsCommand[]): string {
  return commands.map((command) => `${renderCommand(command)}\n`).join('');
}

function renderCommand(command: IpvsCommand): string {
  const { server } = command;
  const words = [LETTER[command.do], OPTION[server.protocol], joined(server.address, server.port)];
  switch (command.do) {
    case 'add':
    case 'edit':
      words.push('-s', server.scheduler, ...persistence(server));
      break;
    case 'add-target':
    case 'edit-target':
      words.push('-r', joinedKey(command.target), '-m', '-w', String(command.weight));
      break;
    case 'delete-target':
      words.push('-r', joinedKey(command.target));
      break;
    case 'delete':
      break;
  }
  return words.join(' ');
}

function persistence({ persistentSeconds }: VirtualServer): readonly string[] {
  return persistentSeconds === undefined ? [] : ['-p', String(persistentSeconds)];
}

function joinedKey(target: string): string {
  const at = target.lastIndexOf(' ');
  return joined(target.slice(0, at), target.slice(at + 1));
}

function joined(address: string, port: number | string): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** From the addresses of one routing table to those of the other. */
export function renderRoutes(
  table: string,
  wanted: ReadonlySet<string>,
  there: ReadonlySet<string>,
): { readonly add: readonly string[]; readonly remove: readonly string[] } {
  const route = (word: string, address: string): string => `route ${word} local ${address} dev lo table ${table}`;
  return {
    add: [...wanted]
      .filter((address) => !there.has(address))
      .sort()
      .map((address) => route('add', address)),
    remove: [...there]
      .filter((address) => !wanted.has(address))
      .sort()
      .map((address) => route('del', address)),
  };
}
