import js from '@eslint/js';
import tseslint from 'typescript-eslint';
import { ownKey } from './eslint.own-key.mjs';

const anywhere = [
  {
    selector:
      "ConditionalExpression[test.operator='instanceof'][test.right.name='Error'][consequent.property.name='message'][alternate.callee.name='String']",
    message: 'use errorText of contracts/errors.ts.',
  },
  {
    selector:
      "ConditionalExpression[test.operator='instanceof'][test.right.name='Error'][alternate.type='NewExpression'][alternate.callee.name='Error']",
    message: 'use asError of contracts/errors.ts.',
  },
];

const pureRoom = {
  'no-restricted-globals': ['error', 'process', 'setTimeout', 'setInterval', 'fetch', 'performance'],
  'no-restricted-syntax': [
    'error',
    ...anywhere,
    {
      selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
      message: 'core has no clock: pass `now` in.',
    },
    { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'core has no clock: pass `now` in.' },
    {
      selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
      message: 'core has no randomness: pass ids in.',
    },
  ],
};

const JOINED =
  'on Node.js 20 it leaks on long-lived signals, and a joined time-out may be collected: use joinSignals, or a deadline of the clock.';
const lastingRoom = {
  'no-restricted-syntax': [
    'error',
    ...anywhere,
    { selector: "MemberExpression[object.name='AbortSignal'][property.name='any']", message: JOINED },
    { selector: "MemberExpression[object.name='AbortSignal'][property.name='timeout']", message: JOINED },
  ],
};
const clockedRoom = {
  'no-restricted-globals': [
    'error',
    ...['setTimeout', 'setInterval'].map((name) => ({
      name,
      message: 'wait by the clock: a timer beyond 2^31-1 ms fires at once, and tests step the clock.',
    })),
  ],
};

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '**/*.cjs', '**/*.mjs', 'eslint.config.js', '.cache/'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  {
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-redeclare': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      'max-lines': ['error', { max: 600, skipBlankLines: true, skipComments: true }],
      'no-control-regex': 'off',
      'no-restricted-syntax': ['error', ...anywhere],
    },
  },
  {
    files: ['contracts/**', 'reconciler/**', 'nodeagent/**', 'lab/**', 'cli/**'],
    ignores: ['contracts/objects/own-key.ts'],
    plugins: { plumbline: { rules: { 'own-key': ownKey } } },
    rules: { 'plumbline/own-key': 'error' },
  },
  {
    files: ['reconciler/**', 'nodeagent/**'],
    rules: lastingRoom,
  },
  {
    files: [
      'reconciler/controllers/**',
      'reconciler/api/**',
      'reconciler/session/**',
      'reconciler/main.ts',
      'nodeagent/loops/**',
      'nodeagent/main.ts',
    ],
    rules: clockedRoom,
  },
  { files: ['reconciler/core/**', 'nodeagent/core/**', 'contracts/**'], rules: pureRoom },
  { files: ['contracts/errors.ts'], rules: { 'no-restricted-syntax': 'off' } },
  {
    files: ['lab/**', 'cli/**'],
    ignores: ['cli/print/terminal.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        ...anywhere,
        {
          selector:
            "MemberExpression[object.object.name='process'][object.property.name=/^std(out|err)$/][property.name=/^(write|pipe|end)$/]",
          message: 'print through cli/print/terminal.ts: what a terminal acts on is written out there.',
        },
      ],
    },
  },
  {
    files: ['test/**', 'bench/**'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['describe', 'it', 'test', 'suite'], package: 'node:test' },
          ],
        },
      ],
    },
  },
);
