/** AppSets of open pull requests: what a list becomes, without any forge. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AppSources, WantedSource } from '../../../reconciler/core/apps/other-sources.ts';
import {
  approvalLabel,
  listingFiles,
  listingId,
  listingText,
  slugOf,
  type FoundPullRequest,
} from '../../../reconciler/core/apps/pull-requests.ts';
import { planInput, planSync, checkPlan } from '../../../reconciler/core/diff/index.ts';
import { appSet, configMap, expanded, site, type Expanded, type Tree } from './app-sets.ts';

const pull = (number: number, more: Partial<FoundPullRequest> = {}): FoundPullRequest => ({
  number,
  title: `change ${number}`,
  branch: `Feature/Größe_${number}`,
  targetBranch: 'main',
  headSha: String(number % 10).repeat(40),
  labels: [],
  author: 'ada',
  isForeign: false,
  ...more,
});

/** Answers with a list, or with why there is none; what was asked is remembered. */
function listing(pulls: readonly FoundPullRequest[] | string, asked: WantedSource[] = []): AppSources {
  return {
    open(wanted) {
      asked.push(wanted);
      const text = typeof pulls === 'string' ? undefined : listingText(pulls);
      if (text === undefined)
        return Promise.resolve({ ok: false, message: typeof pulls === 'string' ? pulls : 'too many' });
      const id = listingId(text);
      return Promise.resolve({
        ok: true,
        commit: id,
        files: listingFiles(id),
        read: () => Promise.resolve(Buffer.from(text)),
      });
    },
  };
}

const TEMPLATE = {
  metadata: { name: 'p-${name}', annotations: { title: '${title}' } },
  spec: { path: 'sites/a', helm: { values: '${values}' } },
};
const set = (generator: object, values?: object): string =>
  appSet(
    [{ pullRequests: generator }],
    values ? { ...TEMPLATE, spec: { path: 'sites/a', helm: { values } } } : { ...TEMPLATE, spec: { path: 'sites/a' } },
  );
const GITHUB = { github: { repository: 'shop/Web.App' } };
const of = (
  pulls: readonly FoundPullRequest[] | string,
  generator: object = GITHUB,
  more: Tree = {},
  values?: object,
): Promise<Expanded> =>
  expanded({ 'set.yaml': set(generator, values), ...site('a'), ...more }, undefined, listing(pulls));
const names = ({ apps }: Expanded): string => apps.map(({ metadata }) => metadata.name).join(' ');

describe('Apps of open pull requests', () => {
  const rows: readonly (readonly [string, readonly FoundPullRequest[], object, string])[] = [
    ['none', [], {}, ''],
    ['one', [pull(7)], {}, 'p-web-app-7'],
    [
      'those of a branch',
      [pull(7), pull(8, { targetBranch: 'release/1' })],
      { branches: ['release/*'] },
      'p-web-app-8',
    ],
    [
      'those with all labels',
      [pull(7, { labels: ['a'] }), pull(8, { labels: ['b', 'a'] })],
      { labels: ['a', 'b'] },
      'p-web-app-8',
    ],
    ['no stranger’s', [pull(7, { isForeign: true }), pull(8)], {}, 'p-web-app-8'],
    [
      'a stranger’s whose commit is named',
      [pull(7, { isForeign: true, labels: [approvalLabel('7'.repeat(40))] })],
      {},
      'p-web-app-7',
    ],
    [
      'no other commit of it',
      [pull(7, { isForeign: true, labels: [approvalLabel('8'.repeat(40)), 'approved-777777777777'] })],
      {},
      '',
    ],
    ['none without a commit', [pull(7, { headSha: '' }), pull(8, { headSha: 'a'.repeat(64) })], {}, ''],
  ];
  for (const [what, pulls, filters, wanted] of rows)
    it(`are ${what}`, async () => {
      const found = await of(pulls, { ...GITHUB, ...filters });
      assert.equal(names(found), wanted);
      assert.deepEqual(found.told, []);
      assert.deepEqual([...(found.previews ?? [])], wanted === '' ? [] : wanted.split(' '));
      assert.deepEqual(
        found.sources?.map(({ sets, apps }) => [sets, apps]),
        [[['sites'], []]],
      );
    });

  it('have what is said of them, each value of its type', async () => {
    const values = Object.fromEntries(
      [
        'number',
        'title',
        'branch',
        'branchSlug',
        'targetBranch',
        'targetBranchSlug',
        'headSha',
        'headShortSha',
        'labels',
        'author',
      ].map((name) => [name, `\${${name}}`]),
    );
    const { apps, told } = await of([pull(7, { labels: ['b', 'a', 'b'] })], GITHUB, {}, values);
    assert.deepEqual(
      apps[0]?.spec.helm?.values,
      {
        number: 7,
        title: 'change 7',
        branch: 'Feature/Größe_7',
        branchSlug: 'feature-gro-e-7',
        targetBranch: 'main',
        targetBranchSlug: 'main',
        headSha: '7'.repeat(40),
        headShortSha: '77777777',
        labels: ['a', 'b'],
        author: 'ada',
      },
      told.join('\n'),
    );
  });

  it('have titles that are no YAML, no variables, and nothing that a terminal obeys', async () => {
    const title = 'x"\n- {a: b}\u001b[31m ${number} $${x} \u202egnp';
    const { apps } = await of([pull(7, { title })]);
    assert.equal(apps[0]?.metadata.annotations?.['title'], 'x" - {a: b} [31m ${number} $${x}  gnp');
  });

  it('are left out, and that is said, where nobody knows which are open; nothing is asked without a set', async () => {
    const found = await of('the forge is away');
    assert.equal(names(found), '');
    assert.match(
      found.told[0] ?? '',
      /set\.yaml:1:\d+ SourceUnread warning: AppSet sites: spec\.generators\[0\]\.pullRequests is left out: the forge is away/,
    );
    assert.equal(
      found.diagnostics.some(({ severity }) => severity === 'error'),
      false,
    );
    assert.equal(found.sources?.[0]?.problem, 'the forge is away');
    const nobody = await expanded({ 'set.yaml': set(GITHUB), ...site('a') });
    assert.match(nobody.told[0] ?? '', /SourceUnread warning: .* asked for by the control plane alone/);
  });

  it('are asked for once for all generators that ask the same, with the Secret of the commit', async () => {
    const asked: WantedSource[] = [];
    const secret = `apiVersion: v1\nkind: Secret\nmetadata: { name: t, namespace: ci }\nstringData: { bearerToken: canary-1 }\n`;
    const github = { repository: 'shop/web', secretRef: { name: 't', namespace: 'ci' } };
    const tree = {
      'ns.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: ci }\n',
      'secret.yaml': secret,
      'set.yaml': appSet([{ pullRequests: { github, labels: ['a'] } }, { pullRequests: { github, labels: ['b'] } }], {
        ...TEMPLATE,
        spec: { path: 'sites/a' },
      }),
      ...site('a'),
    };
    const found = await expanded(tree, undefined, listing([], asked));
    assert.equal(asked.length, 1);
    assert.equal(asked[0]?.url, 'https://github.com');
    assert.equal(asked[0].auth?.reveal().get('bearerToken'), 'canary-1');
    assert.ok(!JSON.stringify([asked, found.sources, found.told]).includes('canary'));
    const without = await expanded({ ...tree, 'secret.yaml': configMap('x') }, undefined, listing([]));
    assert.match(without.told.join('\n'), /AppSetFailed .*Secret t is in no manifest of the namespace ci/);
  });

  const refused: readonly (readonly [object, RegExp])[] = [
    [{}, /needs one of github, gitlab, gitea/],
    [{ ...GITHUB, gitlab: { repository: 'a/b' } }, /may have only one of github, gitlab/],
    [{ gitea: { repository: 'a/b' } }, /needs url/],
    [{ github: { repository: '../b' } }, /must be OWNER\/NAME/],
    [{ github: { repository: 'a/b/c' } }, /must be OWNER\/NAME/],
    [{ github: { repository: 'a/b', url: 'http://forge.example' } }, /must be a URL that starts with https/],
    [{ github: { repository: 'a/b', url: 'https://ada:pw@forge.example' } }, /must be a URL that starts with https/],
    [{ ...GITHUB, labels: Array.from({ length: 65 }, (_, i) => `l${i}`) }, /no more than 64/],
  ];
  for (const [generator, message] of refused)
    it(`are refused: ${message.source}`, async () => {
      assert.match((await of([], generator)).told.join('\n'), message);
    });
});

describe('what is kept of a list', () => {
  it('is the same in whatever order it comes, and no more than 200 that may be run', () => {
    const all = Array.from({ length: 200 }, (_, i) => pull(i + 1));
    const strangers = Array.from({ length: 500 }, (_, i) => pull(i + 1000, { isForeign: true }));
    const text = listingText([...all, ...strangers]);
    assert.ok(text !== undefined);
    assert.equal(listingText([...strangers, ...all.toReversed()]), text);
    assert.equal(listingText([...all, pull(201)]), undefined);
  });
  it('has texts of 255 characters at most', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (title) => {
        const [one] = JSON.parse(listingText([pull(7, { title, labels: [title] })]) ?? '[]') as { title: string }[];
        assert.ok([...(one?.title ?? '')].length <= 255);
      }),
    );
  });
});

describe('a slug', () => {
  for (const [text, slug] of [
    ['Feature/ABC-1_x', 'feature-abc-1-x'],
    ['--', 'x'],
    ['', 'x'],
    ['a'.repeat(80), 'a'.repeat(50)],
    [`${'a'.repeat(49)}/b`, 'a'.repeat(49)],
  ] as const)
    it(`of ${JSON.stringify(text)}`, () => assert.equal(slugOf(text), slug));
  it('is part of a DNS label', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.match(slugOf(text), /^[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?$/);
      }),
    );
  });
});

describe('a pull request that is closed', () => {
  it('takes its Namespace away without a word in a commit; what an App of the commit itself has needs one', async () => {
    const space = (name: string): string => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`;
    const tree = { 'sites/a/ns.yaml': space('preview'), ...site('a') };
    const refusals = async (before: Tree, after: Tree): Promise<readonly string[]> => {
      const [one, other] = await Promise.all([
        expanded(before, undefined, listing([pull(7)])),
        expanded(after, undefined, listing([])),
      ]);
      const live = new Map([...one.state].map(([key, { object }]) => [key, object] as const));
      const input = planInput('main', one, other, live, new Map());
      const plan = planSync(input);
      assert.ok(plan.items.some(({ action, key }) => action === 'delete' && key === 'namespaces//preview'));
      return checkPlan(input, plan).map(({ code }) => code);
    };
    // What an App has that is of another repository is in no file of this one once it is gone.
    const asSet = { 'set.yaml': set(GITHUB) };
    assert.deepEqual(await refusals({ ...asSet, ...tree }, asSet), []);
    // What is in it and is none of the pull request's would go too.
    const others = configMap('kept').replace('name: kept', 'name: kept, namespace: preview');
    assert.deepEqual(await refusals({ ...asSet, ...tree, 'other.yaml': others }, asSet), ['PruneUnacknowledged']);
    const app = 'apiVersion: plumbline.dev/v1alpha1\nkind: App\nmetadata: { name: a }\nspec: { path: sites/a }\n';
    assert.deepEqual(await refusals({ 'app.yaml': app, ...tree }, {}), ['PruneUnacknowledged']);
  });
});
