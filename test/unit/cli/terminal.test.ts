import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { formatExplain } from '../../../cli/commands/explain.ts';
import { formatStatus } from '../../../cli/commands/status.ts';
import { escaped, terminalText, visible } from '../../../cli/print/terminal.ts';
import { yamlText } from '../../../cli/print/yaml.ts';

/** What a terminal acts on, by what it does. */
const HOSTILE: readonly (readonly [what: string, text: string, shown: string])[] = [
  ['clears the screen', '\u001b[2J\u001b[H', '\\x1b[2J\\x1b[H'],
  ['sets the title', '\u001b]0;root\u0007', '\\x1b]0;root\\x07'],
  ['writes the clipboard', '\u001b]52;c;cm0gLXJmIC8=\u001b\\', '\\x1b]52;c;cm0gLXJmIC8=\\x1b\\'],
  ['the same in one byte (C1)', '\u009b2J\u009d0;x\u009c', '\\x9b2J\\x9d0;x\\x9c'],
  ['overwrites the line', 'refused\rapplied', 'refused\\x0dapplied'],
  ['takes characters back', 'no\b\bok\u007f', 'no\\x08\\x08ok\\x7f'],
  ['turns the direction', 'a\u202egnp.exe', 'a\\u202egnp.exe'],
  ['isolates a direction', '\u2066a\u2069', '\\u2066a\\u2069'],
  ['hides text', 'a\u200b\ufeff\u{e0041}', 'a\\u200b\\ufeff\\u{e0041}'],
  ['ends a line elsewhere', 'a\u2028b\u2029\u0085', 'a\\u2028b\\u2029\\x85'],
  ['rings and nulls', '\u0000\u0007\u000b\u000c', '\\x00\\x07\\x0b\\x0c'],
];
const HARMLESS = ['a\n\tb', 'é ü 日本語 שלום', 'नि\u200dह', '👩\u200d💻', '<none>', '\\x1b'];

describe('text for a terminal', () => {
  for (const [what, text, shown] of HOSTILE) {
    it(`that ${what} is written out`, () => {
      assert.equal(visible(text), shown);
      assert.equal(visible(visible(text)), shown);
    });
    it(`that ${what} stays itself in JSON and YAML`, () => {
      const data = { [text]: [text, `a\n${text}\nb`] };
      for (const [printed, read] of [
        [escaped(JSON.stringify(data, null, 2)), (text: string) => JSON.parse(text) as unknown],
        [yamlText(data), (text: string) => parse(text) as unknown],
      ] satisfies [string, (text: string) => unknown][]) {
        assert.equal(visible(printed), printed);
        assert.deepEqual(read(printed), data);
      }
    });
  }
  for (const text of HARMLESS) {
    it(`${JSON.stringify(text)} is left as it is`, () => {
      assert.equal(visible(text), text);
      assert.deepEqual(parse(yamlText({ text })), { text });
    });
  }
});

describe('what a container prints, on a terminal', () => {
  async function shown(...chunks: readonly Buffer[]): Promise<string> {
    const filter = terminalText();
    let text = '';
    filter.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    for (const chunk of chunks) filter.write(chunk);
    await new Promise<void>((done) => {
      filter.end(done);
    });
    return text;
  }
  const bytes = (text: string): Buffer[] => [...Buffer.from(text, 'utf8')].map((byte) => Buffer.from([byte]));

  for (const [what, text, written] of HOSTILE) {
    it(`${what}: written out, however it is cut`, async () => {
      assert.equal(await shown(Buffer.from(text)), written);
      assert.equal(await shown(...bytes(text)), written);
    });
  }

  it('keeps colours, and switches them off at the end', async () => {
    const text = '\u001b[1;31merror\u001b[0m \u001b[38:2:1:2:3mé\r\n';
    const wanted = '\u001b[1;31merror\u001b[0m \u001b[38:2:1:2:3mé\n\u001b[0m';
    assert.equal(await shown(Buffer.from(text)), wanted);
    assert.equal(await shown(...bytes(text)), wanted);
  });

  it('holds back no more than a colour is long', async () => {
    assert.equal(await shown(...bytes(`\u001b[${'1;'.repeat(40)}m`)), `\\x1b[${'1;'.repeat(40)}m`);
    assert.equal(await shown(Buffer.from('end\u001b[')), 'end\\x1b[');
  });
});

describe('reports about hostile names', () => {
  const evil = HOSTILE.map(([, text]) => text).join('');
  const now = new Date('2026-01-01T00:00:00Z');

  it('hold nothing that a terminal acts on once they are printed', () => {
    const explained = formatExplain(
      {
        found: true,
        object: { kind: evil, namespace: evil, name: evil },
        owners: [evil],
        conditions: [{ type: evil, status: 'False', reason: evil, message: evil }],
        children: [],
        pods: [],
        events: [],
        more: { pods: 0, events: 0 },
        broken: evil,
        commit: { revision: 'a'.repeat(40), subject: evil, author: evil, outcome: 'Applied', message: evil },
      } as never,
      now,
    );
    const status = formatStatus(
      {
        synced: false,
        healthy: false,
        source: {
          name: evil,
          url: evil,
          branch: evil,
          headError: evil,
          conditions: [{ type: 'Published', status: 'False', message: evil }],
        },
        controlPlane: { warnings: [evil], version: evil, pid: 1, startedAt: '' },
        objects: [{ kind: evil, name: evil, namespace: evil, health: evil, message: evil }],
        nodes: [{ name: evil, address: evil, ready: evil, pods: 0, reason: evil, message: evil }],
        missing: [evil],
      } as never,
      now,
    );
    for (const text of [explained, status]) {
      const printed = visible(text);
      assert.doesNotMatch(printed, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      assert.match(printed, /\\x1b\[2J/);
    }
  });
});
