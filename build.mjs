/** Bundles the CLI (with the control plane) and the node agent into dist/. */
import { existsSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

/** Packages written as CommonJS expect these; one name each, so that they cannot clash with a bundled module's own. */
const banner = [
  "import { createRequire as __createRequire } from 'node:module';",
  "import { fileURLToPath as __fileURLToPath } from 'node:url';",
  "import { dirname as __pathDirname } from 'node:path';",
  'const require = __createRequire(import.meta.url);',
  'const __filename = __fileURLToPath(import.meta.url);',
  'const __dirname = __pathDirname(__filename);',
].join('\n');
const shared = { bundle: true, platform: 'node', format: 'esm', logLevel: 'warning', banner: { js: banner } };
const targets = [
  {
    // Split, so that a command loads its own code only: `plumb --help` and the push hook start without the control plane's packages.
    entryPoints: { plumb: 'cli/main.ts' }, outdir: 'dist', outExtension: { '.js': '.mjs' }, chunkNames: 'plumb/[name]-[hash]', splitting: true,
    target: 'node20', sourcemap: 'linked', minifySyntax: true, external: ['esbuild', 'cpu-features', '*.node'],
  },
  { entryPoints: ['nodeagent/main.ts'], outfile: 'dist/agent.mjs', target: 'node24', minify: true, keepNames: true, sourcemap: false },
];
rmSync('dist/plumb', { recursive: true, force: true });
for (const target of targets) {
  const [entry] = Object.values(target.entryPoints);
  if (existsSync(entry)) await build({ ...shared, ...target });
}
