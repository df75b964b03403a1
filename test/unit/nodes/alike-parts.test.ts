/** What all nodes hold alike is asked of one, and counts as each says it. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { alikeParts, partOf, type AlikeClaim, type Claim } from '../../../contracts/agent/index.ts';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { AlikeParts, ToldParts, type AskForParts } from '../../../reconciler/controllers/nodes/alike-parts.ts';
import { eachSaid, readPart } from '../../../reconciler/core/nodes/alike-claims.ts';
import type { AlikePart } from '../../../reconciler/core/nodes/node-word.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { alikeLines } from '../../../nodeagent/loops/api/inventory.ts';

const clock = new SystemClock();
const { signal } = new AbortController();
const node = (name: string, podCIDR = '10.0.0.0/24'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: { podCIDR },
});
const NODES = ['a', 'b', 'c', 'd'].map((name) => node(name));

/** An agent that holds these objects. */
class Agent {
  readonly held: ReturnType<typeof alikeParts>;
  readonly named: ReadonlyMap<number, string>;
  /** Questions that it was asked. */
  readonly asked: (readonly number[])[] = [];

  constructor(objects: readonly KubeObject[]) {
    this.held = alikeParts(objects);
    this.named = new Map([...this.held].map(([part, { digest }]) => [part, digest]));
  }

  readonly answer: AskForParts = async (parts) => {
    this.asked.push(parts);
    const told = new ToldParts();
    for (const line of alikeLines(this.held, parts)) told.take(line);
    return told.finish();
  };
}

const namesIn = (parts: readonly AlikePart[]): readonly string[] =>
  parts.flatMap((part) => part.map(({ metadata }) => metadata.name)).sort();

describe('what nodes hold alike', () => {
  it('is asked of one of them, and is one value for all', async () => {
    const parts = new AlikeParts(clock, signal);
    const agents = [new Agent(NODES), new Agent(NODES.toReversed()), new Agent(NODES)];
    const read = await Promise.all(agents.map((agent) => parts.of(agent.named, agent.answer)));
    assert.deepEqual(
      agents.map(({ asked }) => asked.length),
      [1, 0, 0],
    );
    for (const one of read) {
      assert.deepEqual(namesIn(one), ['a', 'b', 'c', 'd']);
      for (const [index, part] of one.entries()) assert.equal(part, read[0]?.[index]);
    }
  });

  it('is waited for under one signal by any number, and keeps none of them afterwards', async () => {
    const stop = new AbortController();
    const listeners = (): number => getEventListeners(stop.signal, 'abort').length;
    const parts = new AlikeParts(clock, stop.signal);
    const agents = Array.from({ length: 20 }, () => new Agent(NODES));
    const reading = Promise.all(agents.map((agent) => parts.of(agent.named, agent.answer)));
    assert.equal(listeners(), 1);
    await reading;
    assert.equal(listeners(), 0);
  });

  it('is asked of another one only where that differs', async () => {
    const parts = new AlikeParts(clock, signal);
    const [first, other] = [new Agent(NODES), new Agent([...NODES.slice(1), node('a', '10.9.0.0/24')])];
    await parts.of(first.named, first.answer);
    await parts.of(other.named, other.answer);
    assert.deepEqual(other.asked, [[partOf('Node', { name: 'a' })]]);
  });

  it('is asked of the next one where the first fails, or tells what it did not name', async () => {
    const parts = new AlikeParts(clock, signal);
    const [honest, other] = [new Agent(NODES), new Agent([node('a', '10.9.0.0/24'), ...NODES.slice(1)])];
    await assert.rejects(
      parts.of(honest.named, async () => Promise.reject(new Error('gone'))),
      /gone/,
    );
    await assert.rejects(parts.of(honest.named, other.answer), { code: 'AgentFailed' });
    const read = await parts.of(honest.named, honest.answer);
    assert.deepEqual(namesIn(read), ['a', 'b', 'c', 'd']);
    assert.ok(
      read.every((part) => part.every((claim) => claim.kind === 'Node' && claim.spec.podCIDR === '10.0.0.0/24')),
    );
  });

  it('is asked of the next one where the first does not answer', async () => {
    const parts = new AlikeParts(clock, signal);
    const honest = new Agent(NODES);
    let give: (error: Error) => void = () => undefined;
    const silent = parts.of(honest.named, () => new Promise((_resolve, reject) => (give = reject)));
    assert.deepEqual(namesIn(await parts.of(honest.named, honest.answer)), ['a', 'b', 'c', 'd']);
    give(new Error('too late'));
    await assert.rejects(silent, /too late/);
  });

  it('is asked of each where it finds no room', async () => {
    const parts = new AlikeParts(clock, signal, 10);
    const agents = [new Agent(NODES), new Agent(NODES)];
    for (const agent of agents)
      assert.deepEqual(namesIn(await parts.of(agent.named, agent.answer)), ['a', 'b', 'c', 'd']);
    assert.deepEqual(
      agents.map(({ asked }) => asked.length),
      [1, 1],
    );
  });

  it('has an end', () => {
    const told = new ToldParts();
    for (const line of ['{"part":1}', 'x']) told.take(line);
    assert.throws(() => told.finish(), { code: 'AgentFailed' });
  });
});

describe('a part', () => {
  const [[part, { lines }] = assert.fail()] = alikeParts([node('a')]);
  const other = alikeParts(NODES.slice(1));
  const twice = [...lines, ...(alikeParts([node('a', '10.9.0.0/24')]).get(part)?.lines ?? [])];
  const foreign = [...other].filter(([place]) => place !== part).flatMap(([, text]) => text.lines);
  const pod = JSON.stringify({ kind: 'Pod', metadata: { name: 'a', namespace: 'default' } });
  const cases: readonly (readonly [string, readonly string[], readonly unknown[]])[] = [
    ['has what it was told', lines, ['10.0.0.0/24']],
    ['has one claim of an object, the last', twice, ['10.9.0.0/24']],
    ['has nothing of what belongs into another', [...foreign, ...lines], ['10.0.0.0/24']],
    ['has nothing of what cannot be read or is none of it', ['', '{', 'null', '[]', pod, ...lines], ['10.0.0.0/24']],
  ];
  for (const [what, told, ranges] of cases)
    it(what, () => {
      const read = finish(readPart(part, told));
      assert.deepEqual(
        read.map((claim) => claim.kind === 'Node' && claim.spec.podCIDR),
        ranges,
      );
    });
});

describe('what is said', () => {
  const claim = (podCIDR: string): Extract<AlikeClaim, { kind: 'Node' }> => ({
    kind: 'Node',
    metadata: { name: 'a' },
    spec: { podCIDR },
  });
  const said = (words: readonly { readonly claims?: readonly Claim[]; readonly alike?: readonly AlikePart[] }[]) => {
    const votes: Record<string, number> = {};
    const all = words.map(({ claims = [], alike }, index) => ({
      node: `n${index}`,
      pods: [],
      claims,
      ...(alike && { alike }),
    }));
    const say = (
      { spec: { podCIDR = '' } }: { readonly spec: { readonly podCIDR?: string | undefined } },
      nodes: number,
    ): void => {
      votes[podCIDR] = (votes[podCIDR] ?? 0) + nodes;
    };
    finish(eachSaid(all, 'Node', say));
    return votes;
  };
  const [one, two]: AlikePart[] = [[claim('1')], [claim('2')]];

  it('counts as often as nodes name it', () => {
    assert.deepEqual(
      said([{ alike: [one as AlikePart] }, { alike: [two as AlikePart] }, { alike: [one as AlikePart] }]),
      {
        1: 2,
        2: 1,
      },
    );
  });
  it('counts beside what nodes of before tell, of which each has one vote', () => {
    assert.deepEqual(said([{ alike: [one as AlikePart] }, { claims: [claim('2'), claim('1')] }]), { 1: 2 });
  });
  it('does not count twice of a node that says it in both ways', () => {
    assert.deepEqual(said([{ alike: [one as AlikePart], claims: [claim('2')] }]), { 1: 1 });
  });
});
