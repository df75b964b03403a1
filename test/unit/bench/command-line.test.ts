import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readCommandLine, usageOf } from '../../support/command-line.ts';

const OPTIONS = {
  nodes: { takes: 'number', default: 100, least: 1, says: 'simulated nodes' },
  share: { takes: 'number', default: 0.5, least: 0, fraction: true, says: 'of them' },
  part: { takes: 'names', of: ['join', 'fill'], says: 'what to measure' },
  only: { takes: 'pattern', of: ['a-node-dies', 'redis-dies'], says: 'faults' },
  profile: { takes: 'path', says: 'a folder' },
  json: { takes: 'nothing', says: 'JSON alone' },
} as const;

describe('a command line of ours', () => {
  it('gives what each option takes, and what is meant where it is absent', () => {
    assert.deepEqual(readCommandLine([], OPTIONS), {
      values: { nodes: 100, share: 0.5, part: ['join', 'fill'], only: '', profile: undefined, json: false },
    });
    const argv = '--nodes 1e3 --share=0.25 --part fill --part join --only redis --profile /p --json'.split(' ');
    assert.deepEqual(readCommandLine(argv, OPTIONS), {
      values: { nodes: 1000, share: 0.25, part: ['fill', 'join'], only: 'redis', profile: '/p', json: true },
    });
  });

  it('says its usage before anything else is looked at', () => {
    assert.deepEqual(readCommandLine(['--help', '--nodes', 'x'], OPTIONS), { help: true });
    const usage = usageOf('bench:some', OPTIONS);
    for (const line of [
      'npm run bench:some --',
      '--nodes N ',
      '(100)',
      '--part NAME ',
      'join, fill',
      '--json ',
      '--help ',
    ])
      assert.ok(usage.includes(line), line);
  });

  for (const [argv, wrong] of [
    [['--nodes', 'many'], /^--nodes takes a whole number of at least 1, not many$/],
    [['--nodes', ''], /--nodes takes/],
    [['--nodes', '1.5'], /--nodes takes/],
    [['--nodes', '0'], /--nodes takes/],
    [['--nodes', 'Infinity'], /--nodes takes/],
    [['--nodes'], /--nodes/],
    [['--share', '-1'], /--share/],
    [['--share=-1'], /^--share takes a number of at least 0, not -1$/],
    [
      ['--part', 'join', '--part', 'jion'],
      /^there is no part jion: --part takes one of join, fill, and may be repeated$/,
    ],
    [['--only', 'pigeon'], /^--only takes a part of one of a-node-dies, redis-dies, not pigeon$/],
    [['--json=yes'], /--json/],
    [['--nodse', '3'], /--nodse/],
    [['join'], /join/],
  ] as const)
    it(`refuses ${argv.join(' ')}`, () => {
      const read = readCommandLine(argv, OPTIONS);
      assert.ok('wrong' in read);
      assert.match(read.wrong, wrong);
    });
});

const PROGRAMS = [
  'bench/agent-memory.ts',
  'bench/push.ts',
  'bench/scale.ts',
  'bench/scheduling.ts',
  'test/chaos/main.ts',
];

/** What a program does with its arguments; it would be stopped before it builds a world. */
async function run(
  program: string,
  ...argv: readonly string[]
): Promise<readonly [code: unknown, said: string, wrong: string]> {
  const path = fileURLToPath(new URL(`../../../${program}`, import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', path, ...argv], { timeout: 30_000 }, (error, stdout, stderr) => {
      resolve([error ? error.code : 0, stdout, stderr]);
    });
  });
}

describe('every benchmark, and chaos', () => {
  for (const program of PROGRAMS)
    it(`does nothing where it is used wrongly, and says how to: ${program}`, async () => {
      const [code, said, wrong] = await run(program, '--pigeons', '3');
      assert.deepEqual([code, said], [2, '']);
      assert.match(wrong, /^.*--pigeons.*\n\nusage: npm run /);
    });

  it('says its usage where it is asked for', async () => {
    const [code, said, wrong] = await run('bench/push.ts', '--help');
    assert.deepEqual([code, wrong], [0, '']);
    assert.match(said, /^usage: npm run bench:push -- /);
  });
});
