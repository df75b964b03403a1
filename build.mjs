/** Bundles the CLI (with the control plane) and the node agent into dist/. */
import { existsSync } from 'node:fs';
import { build } from 'esbuild';

const shared = {
  bundle: true, platform: 'node', format: 'esm', sourcemap: 'linked', logLevel: 'warning',
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
};
const targets = [
  { entryPoints: ['cli/main.ts'], outfile: 'dist/plumb.mjs', target: 'node20', packages: 'external' },
  { entryPoints: ['nodeagent/main.ts'], outfile: 'dist/agent.mjs', target: 'node24', minify: true, keepNames: true, sourcemap: false },
];
for (const target of targets) {
  if (existsSync(target.entryPoints[0])) await build({ ...shared, ...target });
}
