/** A run of tests that is interrupted, or killed, on the real machine: what is left of it. */
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { machineHierarchies } from '../../../lab/cgroups.ts';
import { run } from '../../../lab/process.ts';
import { makeFolder } from '../../support/folder.ts';
import { inTime } from '../../support/in-time.ts';
import { whenInterrupted } from '../../support/interruption.ts';
import { labUnsupported } from '../lab/unsupported.ts';
import { polled } from '../../support/patience.ts';

const LAB = 'interr';
const FLEET = `/tmp/plumb-e2e-${LAB}`;
const TEST_FILE = join(import.meta.dirname, 'long-running.ts');
const runner = (...options: readonly string[]): readonly string[] => [
  'node',
  '--import',
  'tsx',
  'test/support/run-tests.ts',
  ...options,
  '1',
  TEST_FILE,
];
const RUN = runner();
/** Far more than anything here needs. */
const PATIENCE_MS = 240_000;

interface TestRun {
  readonly child: ChildProcess;
  /** TMPDIR of the run. */
  readonly folder: string;
  readonly mark: string;
  /** The shell's or the runner's exit code. */
  readonly ended: Promise<number | null>;
  /** Once it has made everything: the process id of the test file. */
  up(): Promise<number>;
}

describe('a run of tests', { skip: labUnsupported(), timeout: 900_000 }, () => {
  const runs: TestRun[] = [];

  function start(argv: readonly string[]): TestRun {
    const [program = '', ...args] = argv;
    const folder = makeFolder('plumb-interr-');
    const up = join(folder, 'up');
    const mark = randomUUID();
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    // A session of its own, as a terminal gives it.
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...env, TMPDIR: folder, UP: up, MARK: mark },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    const ended = once(child, 'exit').then(([code]) => code as number | null);
    whenInterrupted('a run of tests', async () => {
      child.kill('SIGTERM');
      await ended;
    });
    const started: TestRun = {
      child,
      folder,
      mark,
      ended,
      up: () =>
        polled(
          'the test does not come up',
          () => {
            assert.equal(child.exitCode ?? child.signalCode, null, said);
            return existsSync(up) ? Number(readFileSync(up, 'utf8')) || undefined : undefined;
          },
          { timeoutMs: PATIENCE_MS, everyMs: 100 },
        ),
    };
    runs.push(started);
    return started;
  }

  /** By a shell, as `npm test` does. */
  const startByShell = (): TestRun => start(['bash', '-c', `. test/support/attend.sh; attend ${RUN.join(' ')}`]);

  /** What this machine still has of a run; `pid` is that of its test file. */
  async function left({ folder, mark }: TestRun, pid: number): Promise<readonly string[]> {
    const processes = readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .filter((entry) => {
        const stat = read(`/proc/${entry}/stat`);
        const ours =
          read(`/proc/${entry}/environ`).includes(mark) ||
          read(`/proc/${entry}/cmdline`).includes(folder) ||
          /\/plumb-lab\/interr\b/.test(read(`/proc/${entry}/cgroup`));
        return ours && !stat.slice(stat.lastIndexOf(')')).startsWith(') Z');
      })
      .map((entry) => `process ${read(`/proc/${entry}/cmdline`).replaceAll('\0', ' ').slice(0, 100)}`);
    const links = readdirSync('/sys/class/net')
      .filter((name) => name.startsWith(`${LAB}-`))
      .map((name) => `link ${name}`);
    const namespaces = names('/run/netns')
      .filter((name) => name.startsWith(`pnet-${pid}-`))
      .map((name) => `namespace ${name}`);
    const cgroups = machineHierarchies().flatMap(({ mountPoint }) =>
      [
        ...names(`${mountPoint}/plumb-lab`).filter((name) => name === LAB),
        ...names(`${mountPoint}/plumbline`).filter((name) => name.includes(`-${pid}-`)),
      ].map((name) => `cgroup ${name}`),
    );
    const mounts = read('/proc/self/mountinfo')
      .split('\n')
      .filter((line) => [folder, FLEET, `pnet-${pid}-`].some((word) => line.includes(word)))
      .map((line) => `mount ${line}`);
    const rules = (await run(['nft', 'list', 'tables'])).stdout
      .split('\n')
      .filter((line) => line.includes('plumb'))
      .map((line) => `rules ${line}`);
    // tsx keeps what it has compiled there.
    const files = [
      ...names(folder).filter((name) => name !== 'up' && !name.startsWith('tsx-')),
      ...(existsSync(FLEET) ? [FLEET] : []),
    ].map((name) => `file ${name}`);
    return [...processes, ...links, ...namespaces, ...new Set(cgroups), ...mounts, ...rules, ...files];
  }

  const kinds = (found: readonly string[]): readonly string[] =>
    [...new Set(found.map((one) => one.split(' ')[0] ?? ''))].sort();

  beforeEach(() => {
    runs.length = 0;
  });
  afterEach(async () => {
    // Of a run that did not end as it should.
    for (const { child, folder, ended } of runs) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('leaves nothing behind after Ctrl-C', async () => {
    const tests = startByShell();
    const pid = await tests.up();
    assert.deepEqual(kinds(await left(tests, pid)), ['cgroup', 'file', 'link', 'mount', 'namespace', 'process']);
    process.kill(-(tests.child.pid ?? 0), 'SIGINT');
    assert.equal(await inTime('the end', PATIENCE_MS, tests.ended), 130);
    assert.deepEqual(await left(tests, pid), []);
  });

  it('leaves nothing behind after SIGTERM to its shell while it is still building', async () => {
    const tests = startByShell();
    await polled('the bridge is not there', () => existsSync(`/sys/class/net/${LAB}-br`) || undefined, {
      timeoutMs: PATIENCE_MS,
      everyMs: 10,
    });
    tests.child.kill('SIGTERM');
    assert.equal(await inTime('the end', PATIENCE_MS, tests.ended), 143);
    assert.deepEqual(await left(tests, 0), []);
  });

  it('leaves nothing behind when the runner alone is killed', async () => {
    const tests = start(RUN);
    const pid = await tests.up();
    tests.child.kill('SIGKILL');
    await polled('it is not all gone', async () => ((await left(tests, pid)).length === 0 ? true : undefined), {
      timeoutMs: PATIENCE_MS,
      everyMs: 200,
    });
  });

  const everything = ['cgroup', 'file', 'link', 'mount', 'namespace', 'process'];
  for (const [how, argv, seen] of [
    ['in the namespaces of the machine', RUN, everything],
    // What has names in those of the file alone goes with its processes.
    ['in namespaces of its own', runner('--alone'), ['cgroup', 'file', 'process']],
  ] as const)
    it(`runs again, ${how}, after all of it was killed, and clears away what the killed run left`, async () => {
      const killed = start(argv);
      const pid = await killed.up();
      process.kill(-(killed.child.pid ?? 0), 'SIGKILL');
      await killed.ended;
      const remains = await left(killed, pid);
      assert.deepEqual(kinds(remains), seen, remains.join('\n'));
      const again = start(argv);
      const next = await again.up();
      assert.deepEqual(
        (await left(killed, pid)).filter((one) => one.startsWith('namespace') || one.includes(`-${pid}-`)),
        [],
      );
      again.child.kill('SIGINT');
      assert.equal(await inTime('the end', PATIENCE_MS, again.ended), 130);
      assert.deepEqual(await left(again, next), []);
      rmSync(killed.folder, { recursive: true });
      assert.deepEqual(await left(killed, pid), []);
    });
});

function names(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Empty for what has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
