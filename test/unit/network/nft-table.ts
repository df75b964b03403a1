/**
 * An nftables table as data: applies transactions as strictly as the kernel does (nothing is made twice, nothing that
 * is referred to goes away), so that a list of commands that passes here passes there.
 */
import { sameData } from '../../../nodeagent/core/data-plane/equality.ts';
import type { Chain, Command, Container, Rule } from '../../../nodeagent/core/nftables/model.ts';
import { FilterRefusedError } from '../../../nodeagent/ports/packet-filter.ts';

export interface NftTable {
  readonly containers: ReadonlyMap<string, Container>;
  readonly chains: ReadonlyMap<string, Chain>;
  /** By container: element key to the chain of its verdict. */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string | undefined>>;
}

const NO_TABLE: NftTable = { containers: new Map(), chains: new Map(), elements: new Map() };

/** The table after the commands. Throws {@link FilterRefusedError} at the first that the kernel would refuse. */
export function applyCommands(table: NftTable | undefined, commands: readonly Command[]): NftTable {
  let next = table && new Draft(table);
  for (const command of commands) {
    if (command.do === 'replace-table') next = new Draft(NO_TABLE);
    else if (next === undefined) throw new FilterRefusedError('there is no table');
    else next.apply(command);
  }
  return next ?? NO_TABLE;
}

class Draft implements NftTable {
  readonly containers: Map<string, Container>;
  readonly chains: Map<string, Chain>;
  readonly elements: Map<string, Map<string, string | undefined>>;

  constructor(from: NftTable) {
    this.containers = new Map(from.containers);
    this.chains = new Map(from.chains);
    this.elements = new Map([...from.elements].map(([name, elements]) => [name, new Map(elements)]));
  }

  apply(command: Exclude<Command, { do: 'replace-table' }>): void {
    switch (command.do) {
      case 'add-container':
        refuseUnless(!this.containers.has(command.container.name), `${command.container.name} exists`);
        this.containers.set(command.container.name, command.container);
        this.elements.set(command.container.name, new Map());
        return;
      case 'add-chain':
        refuseUnless(!this.chains.has(command.chain.name), `${command.chain.name} exists`);
        this.chains.set(command.chain.name, { ...command.chain, rules: [] });
        return;
      case 'set-rules': {
        const chain = this.chain(command.chain);
        for (const name of command.rules.flatMap(referredChains)) this.chain(name);
        for (const name of command.rules.flatMap(referredContainers)) this.container(name);
        this.chains.set(chain.name, {
          ...chain,
          rules: command.fresh ? [...chain.rules, ...command.rules] : command.rules,
        });
        return;
      }
      case 'add-elements': {
        const { name } = command.container;
        const elements = this.container(name);
        refuseUnless(sameData(this.containers.get(name), command.container), `${name} is another one`);
        for (const { key, chain } of command.elements) {
          refuseUnless(!elements.has(key) || elements.get(key) === chain, `${name} has ${key} with another verdict`);
          if (chain !== undefined) this.chain(chain);
          elements.set(key, chain);
        }
        return;
      }
      case 'delete-elements': {
        const elements = this.container(command.container);
        for (const { key } of command.elements)
          refuseUnless(elements.delete(key), `${command.container} has no ${key}`);
        return;
      }
      case 'delete-chain': {
        const chain = this.chain(command.chain);
        const inRules = [...this.chains.values()].some((c) => c.rules.flatMap(referredChains).includes(chain.name));
        const inElements = [...this.elements.values()].some((e) => [...e.values()].includes(chain.name));
        refuseUnless(!inRules && !inElements, `${chain.name} is referred to`);
        this.chains.delete(chain.name);
        return;
      }
      case 'delete-container':
        this.container(command.container);
        refuseUnless(
          ![...this.chains.values()].some((c) => c.rules.flatMap(referredContainers).includes(command.container)),
          `${command.container} is referred to`,
        );
        this.containers.delete(command.container);
        this.elements.delete(command.container);
        return;
    }
  }

  private chain(name: string): Chain {
    const chain = this.chains.get(name);
    if (chain === undefined) throw new FilterRefusedError(`there is no chain ${name}`);
    return chain;
  }

  private container(name: string): Map<string, string | undefined> {
    const elements = this.elements.get(name);
    if (elements === undefined) throw new FilterRefusedError(`there is no set or map ${name}`);
    return elements;
  }
}

function refuseUnless(condition: boolean, message: string): void {
  if (!condition) throw new FilterRefusedError(message);
}

function referredChains(rule: Rule): string[] {
  if (rule.kind === 'choose') return [...rule.chains];
  return 'chain' in rule ? [rule.chain] : [];
}

function referredContainers(rule: Rule): string[] {
  if (rule.kind === 'masquerade-egress') return [rule.nodes];
  if (rule.kind === 'reject' || rule.kind === 'drop') return rule.match && 'set' in rule.match ? [rule.match.set] : [];
  if ('map' in rule) return [rule.map];
  return 'set' in rule ? [rule.set] : [];
}
