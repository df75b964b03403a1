/** The import table of docs/ARCHITECTURE.md as an allow-list: what is not allowed here is an error. */
const IO_FREE_SDKS = '^node_modules/(zod|yaml|semver|@marcbachmann/cel-js)/';
const room = (from, to) => ({ from: { path: from }, to: { path: to } });

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'core-is-pure',
      comment: 'no file, network, process or timers in core and contracts',
      severity: 'error',
      from: { path: '^(reconciler/core|nodeagent/core|contracts)/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(buffer|crypto|net)$' },
    },
  ],
  allowedSeverity: 'error',
  allowed: [
    room('^contracts/', `^contracts/|${IO_FREE_SDKS}`),
    // What selectors mean has one name on both sides, which nobody can give to other selectors.
    room('^contracts/objects/policy-peers\\.ts$', '^(node:)?crypto$'),
    // What nodes hold alike is named by its digest: both sides make it alike.
    room('^contracts/agent/alike\\.ts$', '^(node:)?crypto$'),
    // What one side lets through as a certificate the other's proxy takes.
    room('^contracts/certificates\\.ts$', '^(node:)?crypto$'),
    // Whether a socket is listened on is asked by both sides, which share nothing but contracts.
    room('^contracts/unix-socket\\.ts$', '^(node:)?net$'),
    room('^(reconciler|nodeagent)/core/', `^contracts/|${IO_FREE_SDKS}`),
    room('^(reconciler|nodeagent)/(core|ports|adapters|controllers|loops|api)/', '^(node:)?[a-z0-9_/]+$'),
    room('^(reconciler|nodeagent)/(ports|adapters|controllers|loops|api)/', '^contracts/'),
    room('^(reconciler)/core/', '^reconciler/core/'),
    room('^(nodeagent)/core/', '^nodeagent/core/'),
    room('^reconciler/ports/', '^reconciler/(ports|core)/'),
    room('^nodeagent/ports/', '^nodeagent/(ports|core)/'),
    room('^reconciler/adapters/([^/]+)/', '^reconciler/(ports|core)/|^reconciler/adapters/$1/|^node_modules/'),
    room('^nodeagent/adapters/([^/]+)/', '^nodeagent/(ports|core)/|^nodeagent/adapters/$1/|^node_modules/'),
    room('^reconciler/(controllers|api)/', '^reconciler/(core|ports|controllers|api)/|^node_modules/(zod|fastify)/'),
    room('^reconciler/session/', '^contracts/|^reconciler/(core|ports|controllers|api|session)/'),
    room('^nodeagent/loops/', '^nodeagent/(core|ports|loops)/|^node_modules/zod/'),
    room('^reconciler/main\\.ts$', '^(contracts|reconciler)/|^node_modules/|^(node:)?[a-z0-9_/]+$'),
    room('^nodeagent/main\\.ts$', '^(contracts|nodeagent)/|^node_modules/|^(node:)?[a-z0-9_/]+$'),
    room('^lab/', '^(contracts|lab)/|^node_modules/zod/|^(node:)?[a-z0-9_/]+$'),
    room(
      '^cli/',
      '^(contracts|lab|cli)/|^reconciler/(core|ports|adapters|api|main\\.ts)|^node_modules/|^(node:)?[a-z0-9_/]+$',
    ),
    room('^(test|bench)/', '.*'),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
