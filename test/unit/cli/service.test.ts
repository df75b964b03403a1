/** What is made of an installation's settings, before anything of the machine is touched. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withProgram } from '../../../cli/service/machine.ts';
import { environmentText, parseSettings, type ServiceSettings } from '../../../cli/service/settings.ts';
import { serviceUnit, unitWord } from '../../../cli/service/unit.ts';
import { postReceiveHook, preReceiveHook } from '../../../cli/templates/hooks.ts';
import { CliFailure } from '../../../cli/failure.ts';

const SETTINGS: ServiceSettings = {
  repo: '/srv/fleet.git',
  repoIsLocal: true,
  source: 'main',
  files: {},
  node: '/usr/bin/node',
};
const linesOf = (settings: Partial<ServiceSettings>): readonly string[] =>
  serviceUnit({ ...SETTINGS, ...settings }).split('\n');
const line = (settings: Partial<ServiceSettings>, start: string): string | undefined =>
  linesOf(settings).find((each) => each.startsWith(start));

describe('a word of a unit', () => {
  for (const [text, word] of [
    ['/srv/fleet.git', '"/srv/fleet.git"'],
    ['/srv/a b', '"/srv/a b"'],
    ['100%', '"100%%"'],
    ['$HOME', '"$$HOME"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ["it's ; -x", '"it\'s ; -x"'],
  ] as const)
    it(`is ${word} for ${text}`, () => {
      assert.equal(unitWord(text), word);
    });

  it('cannot begin another line', () => {
    assert.throws(() => unitWord('a\nExecStartPre=/bin/sh'), RangeError);
    assert.throws(() => serviceUnit({ ...SETTINGS, files: { ageKey: '/a\nExecStartPre=/bin/sh' } }), RangeError);
  });
});

describe('the unit of a control plane', () => {
  it('runs the version in use, with what was asked for', () => {
    assert.equal(
      line({ branch: 'live', redis: 'unix:///r.sock', webhook: '0.0.0.0:9443' }, 'ExecStart='),
      'ExecStart="/usr/bin/node" /usr/local/lib/plumbline/current/bin/plumb.mjs --home /var/lib/plumbline-control up --repo "/srv/fleet.git" --source "main" --branch "live" --redis "unix:///r.sock" --webhook "0.0.0.0:9443"',
    );
  });

  it('gets files of secrets from systemd, and names none of them to everybody', () => {
    const files = { sshKey: '/root/.ssh/fleet', ageKey: '/root/100%.key' };
    assert.match(line({ files }, 'ExecStart=') ?? '', / --ssh-key %d\/ssh-key --age-key %d\/age-key$/);
    assert.deepEqual(
      linesOf({ files }).filter((each) => each.startsWith('LoadCredential=')),
      ['LoadCredential=ssh-key:/root/.ssh/fleet', 'LoadCredential=age-key:/root/100%%.key'],
    );
  });

  for (const [what, settings, writable] of [
    [
      'objects, refs and the hint of its own repository',
      {},
      '/objects" "/srv/fleet.git/refs" "/srv/fleet.git/plumbline"',
    ],
    ['a repository with a dollar', { repo: '/srv/$a' }, '"/srv/$a/refs"'],
    ['nothing for a repository elsewhere', { repo: 'https://git.example.com/f.git', repoIsLocal: false }, undefined],
  ] as const)
    it(`may write ${what}, and not its hooks and settings`, () => {
      const found = line(settings, 'ReadWritePaths=');
      assert.equal(found?.includes(writable ?? ''), writable === undefined ? undefined : true);
      assert.doesNotMatch(found ?? '', /hooks|config|git"( |$)/);
    });

  for (const [webhook, capabilities] of [
    [undefined, ''],
    ['9443', ''],
    ['[::]:443', 'CAP_NET_BIND_SERVICE'],
  ] as const)
    it(`has ${capabilities || 'no capability'} for webhooks at ${webhook ?? 'no port'}`, () => {
      const settings = webhook === undefined ? {} : { webhook };
      assert.equal(line(settings, 'CapabilityBoundingSet='), `CapabilityBoundingSet=${capabilities}`);
      assert.equal(line(settings, 'AmbientCapabilities='), `AmbientCapabilities=${capabilities}`);
    });
});

describe('the settings of an installation', () => {
  it('are read as they were written, also by a version that knows more or fewer of them', () => {
    assert.deepEqual(parseSettings(JSON.stringify({ ...SETTINGS, later: true }), 'f'), SETTINGS);
    for (const text of ['', '{}', '[]', JSON.stringify({ ...SETTINGS, node: 'node' })])
      assert.throws(() => parseSettings(text, 'f'), CliFailure, text);
  });

  it('keep variables that are not given again, and no other ones', () => {
    const before = 'PLUMB_GIT_PASSWORD="old"\nHTTPS_PROXY="http://p"\n';
    assert.equal(
      environmentText(before, { PLUMB_GIT_PASSWORD: 'a"b$c\\d`', SHELL: '/bin/sh', PLUMB_HELM: '' }),
      'HTTPS_PROXY="http://p"\nPLUMB_GIT_PASSWORD="a\\"b\\$c\\\\d\\`"\n',
    );
    assert.throws(() => environmentText('', { PLUMB_GIT_PASSWORD: 'a\nLD_PRELOAD=/x' }), CliFailure);
  });
});

describe('hooks that were written from elsewhere', () => {
  const elsewhere = { branch: 'main', node: "/root/.nvm/it's", cli: '/root/.npm/_npx/1/plumb.mjs', follow: true };
  const here = { ...elsewhere, node: '/usr/bin/no$&de', cli: '/usr/local/lib/plumbline/current/bin/plumb.mjs' };
  for (const hook of [preReceiveHook, postReceiveHook])
    it(`call the installed program: ${hook.name}`, () => {
      assert.equal(withProgram(hook(elsewhere), here.node, here.cli), hook(here));
    });
});
