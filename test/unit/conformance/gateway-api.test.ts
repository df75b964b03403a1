import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { gatewayTally, readGatewayBehaviours } from '../../conformance/gateway-api.ts';

describe("the table of Gateway API's conformance tests", () => {
  const behaviours = readGatewayBehaviours();

  it('has each once, by name', () => {
    const names = behaviours.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)].sort());
  });

  it('names tests that are there, and of those on hosts such as name it', () => {
    for (const { name, shown, where } of behaviours) {
      if (shown !== 'hosts' && shown !== 'parts') continue;
      const text = readFileSync(new URL(`../../../${where}`, import.meta.url), 'utf8');
      if (shown === 'hosts') assert.match(text, new RegExp(`\\b${name}\\b`), `${where} does not name ${name}`);
    }
  });

  it('is counted by how far each is shown', () => {
    const one = { name: 'a', where: '' };
    assert.deepEqual(
      gatewayTally([
        { ...one, shown: 'hosts' },
        { ...one, shown: 'never' },
        { ...one, shown: 'hosts' },
      ]),
      {
        hosts: 2,
        parts: 0,
        'not yet': 0,
        never: 1,
      },
    );
  });
});
