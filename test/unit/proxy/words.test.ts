import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readEdition, readServers, complaintsIn } from '../../../nodeagent/core/proxy/runtime-words.ts';
import { groupedReplacement, isKey, plainReplacement, word } from '../../../nodeagent/core/proxy/words.ts';

/** As HAProxy takes a line apart (configuration manual 2.2), for what `word` writes. */
function read(line: string): string[] {
  const words: string[] = [];
  let current: string | undefined;
  let quoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at] ?? '';
    if (char === "'") {
      quoted = !quoted;
      current ??= '';
    } else if (quoted) current = (current ?? '') + char;
    else if (char === '\\') {
      at += 1;
      const next = line[at] ?? '';
      current = (current ?? '') + ({ n: '\n', r: '\r', t: '\t' }[next] ?? next);
    } else if (char === ' ') {
      if (current !== undefined) words.push(current);
      current = undefined;
    } else if (char === '#') break;
    else current = (current ?? '') + char;
  }
  assert.equal(quoted, false);
  return current === undefined ? words : [...words, current];
}

describe("words of HAProxy's configuration", () => {
  it('are one word each, on one line, whatever is in them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const line = `a ${word(text)} b`;
        assert.ok(!/[\n\r\0]/.test(line));
        const plain = text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g, ' ');
        assert.deepEqual(read(line), ['a', plain, 'b']);
      }),
    );
  });

  it('leave no expression and no group to what takes the place of a match', () => {
    assert.equal(plainReplacement('/a%[src]\\1'), '/a%%[src]\\\\1');
    assert.equal(groupedReplacement('/a\\1%\\x41\\'), '/a\\1%%\\\\x41\\\\');
  });

  it('know what cannot be the key of a map', () => {
    assert.deepEqual(['/a', '/', 'a', '/a b', '/a\nb', ''].map(isKey), [true, true, false, false, false, false]);
  });
});

describe('answers of the runtime API', () => {
  it('tell the edition and ports of what runs', () => {
    assert.deepEqual(readEdition('Name: HAProxy\ndescription: plumbline abc 80+443\nStopping: 0\n'), {
      edition: 'abc',
      ports: [80, 443],
    });
    assert.equal(readEdition('Name: HAProxy\ndescription: web server\n'), undefined);
    assert.equal(readEdition('Name: HAProxy\n'), undefined);
  });

  it('tell where servers are', () => {
    const text = [
      '1',
      '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_port',
      '5 b 1 s0 10.0.0.1 2 0 1 8080',
      '5 b 2 s1 127.0.0.1 0 5 1 1',
      '5 b 3 s2 10.0.0.2 2 4 1 8080',
      '6 inner 1 inner - 2 0 1 0',
      '',
    ].join('\n');
    assert.deepEqual(
      readServers(text),
      new Map([
        [
          'b',
          [
            { address: '10.0.0.1', port: 8080, disabled: false },
            { address: '127.0.0.1', port: 1, disabled: true },
            { address: '10.0.0.2', port: 8080, disabled: false },
          ],
        ],
      ]),
    );
  });

  it('tell what went wrong', () => {
    assert.deepEqual(
      complaintsIn(
        "IP changed from '127.0.0.1' to '127.0.0.2', port changed from '1' to '99' by 'stats socket command'\n\n\nNo such server.\n",
      ),
      ['No such server.'],
    );
  });
});
