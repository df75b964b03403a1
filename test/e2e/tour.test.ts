/** Every command of docs/tour.md, as it stands there, on two hosts of the lab in place of the servers. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { labUp, type LabInfo } from '../../lab/index.ts';
import { buildCli, PLUMB } from '../support/built-cli.ts';
import { interrupted, whenInterrupted } from '../support/interruption.ts';
import { ownLab, type OwnLab } from '../support/lab.ts';
import { tied } from '../support/tied.ts';
import { run } from './fleet.ts';

const TOUR = path.join(import.meta.dirname, '../../docs/tour.md');
const NAME = 'tour';
const DIR = `/tmp/plumb-e2e-${NAME}`;

interface Section {
  readonly title: string;
  readonly commands: string;
  /** What runs in another terminal from then on. */
  readonly beside: string;
}

/** Blocks of one heading are one section; those for another terminal are begun before the last of the others. */
function sectionsOf(text: string): readonly Section[] {
  return text.split(/^## /m).flatMap((part): Section[] => {
    const blocks = [...part.matchAll(/^```sh( another terminal)?\n(.*?)^```$/gms)];
    const [title = ''] = part.split('\n');
    const beside = blocks.filter(([, other]) => other !== undefined).map(([, , commands = '']) => commands);
    const index = blocks.findIndex(([, other]) => other !== undefined);
    const own = (list: typeof blocks): string =>
      list.flatMap(([, other, commands = '']) => (other === undefined ? [commands] : [])).join('');
    if (index < 0) return blocks.length === 0 ? [] : [{ title, commands: own(blocks), beside: '' }];
    return [
      { title, commands: own(blocks.slice(0, index)), beside: '' },
      { title: `${title}, with a control plane`, commands: own(blocks.slice(index)), beside: beside.join('') },
    ];
  });
}

describe('the tour', () => {
  let lab: LabInfo;
  let own: OwnLab | undefined;
  const ending: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of ending.splice(0)) await end();
    await own?.close();
    await rm(DIR, { recursive: true, force: true });
  };
  let forget: (() => void) | undefined;

  before(async () => {
    buildCli();
    own = await ownLab({ name: NAME, dir: path.join(DIR, 'lab') });
    forget = whenInterrupted(`the tour in ${DIR}`, close);
    await rm(DIR, { recursive: true, force: true });
    await mkdir(path.join(DIR, 'bin'), { recursive: true });
    lab = await labUp({ name: NAME, subnet: '198.18.35.0/24', nodes: 2, dir: own.dir, signal: interrupted });
    await copyFile(lab.sshKeyPath, path.join(DIR, 'servers-key'));
    const program = `#!/bin/sh\nexec ${process.execPath} ${PLUMB} "$@"\n`;
    await writeFile(path.join(DIR, 'bin', 'plumb'), program, { mode: 0o755 });
    await writeFile(path.join(DIR, 'cwd'), DIR);
  });
  after(async () => {
    await close();
    forget?.();
  });

  const here = (text: string): string =>
    text
      .replaceAll('192.0.2.11', lab.nodes[0]?.address ?? '')
      .replaceAll('192.0.2.12', lab.nodes[1]?.address ?? '')
      .replaceAll('10.244.0.0/16', '198.19.192.0/20')
      .replaceAll('10.96.0.0/16', '198.19.208.0/20')
      .replaceAll('registry.example.com/', 'registry.lab/');
  const env = (): NodeJS.ProcessEnv => ({
    ...process.env,
    PATH: `${path.join(DIR, 'bin')}:${process.env['PATH'] ?? ''}`,
    PLUMB_HOME: path.join(DIR, 'control'),
    GIT_AUTHOR_NAME: 'Guest',
    GIT_AUTHOR_EMAIL: 'guest@example.org',
    GIT_COMMITTER_NAME: 'Guest',
    GIT_COMMITTER_EMAIL: 'guest@example.org',
  });

  /** Until it says that it is ready, as the page says. */
  async function begin(commands: string): Promise<void> {
    const [program, ...args] = tied('bash', '-euc', here(commands).trim().replace(/^/, 'exec '));
    const child = spawn(program, args, { cwd: DIR, env: env(), stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'exit');
    ending.push(async () => {
      child.kill('SIGTERM');
      await ended;
    });
    await new Promise<void>((resolve, reject) => {
      let said = '';
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          if ((said += text).includes('ready: ')) resolve();
        });
      void ended.then(() => {
        reject(new Error(`it has ended: ${said}`));
      });
    });
  }

  /** In the folder that the section before was in. */
  async function walk(commands: string): Promise<string> {
    const cwd = await readFile(path.join(DIR, 'cwd'), 'utf8');
    const script = `set -euo pipefail\n${here(commands)}\npwd >${DIR}/cwd\n`;
    const { code, stdout, stderr } = await run(['bash', '-c', script], { cwd: cwd.trim(), env: env() });
    assert.equal(code, 0, `${script}\n${stdout}\n${stderr}`);
    return stdout;
  }

  /** What is to be seen at its end. */
  const SEEN: Readonly<Record<string, RegExp>> = {
    TLS: /shop-tls +True[^]*hello from v1/,
    'A secret': /password/,
    'A review': /hello from v2/,
    'And back': /hello from v1[^]*Back to the first version/,
  };

  it('is what it says', async () => {
    const sections = sectionsOf(await readFile(TOUR, 'utf8'));
    const titles = sections.map(({ title }) => title);
    assert.deepEqual(
      Object.keys(SEEN).filter((title) => !titles.includes(title)),
      [],
    );
    for (const { title, commands, beside } of sections) {
      if (beside !== '') await begin(beside);
      const seen = await walk(commands);
      const expected = SEEN[title];
      if (expected) assert.match(seen, expected, title);
    }
  });
});
