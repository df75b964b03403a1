/** Bundles the CLI (with the control plane) and the node agent into dist/. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
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
    // Split, so that a command loads its own code only: `plumb --help` and the push hook start without the control
    // plane's packages.
    entryPoints: { plumb: 'cli/main.ts' },
    outdir: 'dist',
    outExtension: { '.js': '.mjs' },
    chunkNames: 'plumb/[name]-[hash]',
    splitting: true,
    target: 'node20',
    sourcemap: 'linked',
    minifySyntax: true,
    external: ['esbuild', 'cpu-features', '*.node'],
  },
  {
    entryPoints: ['nodeagent/main.ts'],
    outfile: 'dist/agent.mjs',
    target: 'node24',
    minify: true,
    keepNames: true,
    sourcemap: false,
  },
];
/** A command that runs loads its chunks when it needs them: those of earlier builds stay for as long as one may run. */
const KEEP_CHUNKS_MS = 7 * 24 * 3600 * 1000;

/**
 * Everything that a file refers to is there before the file, and each file changes at once: commands may start and run
 * meanwhile.
 */
function put(files) {
  const chunksFirst = [...files].sort(
    (a, b) => Number(b.path.includes('/plumb/')) - Number(a.path.includes('/plumb/')),
  );
  for (const { path, contents } of chunksFirst) {
    mkdirSync(dirname(path), { recursive: true });
    const fresh = `${path}.${process.pid}`;
    writeFileSync(fresh, contents);
    renameSync(fresh, path);
  }
}

function dropOldChunks(written) {
  const folder = 'dist/plumb';
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!written.has(name) && Date.now() - statSync(path).mtimeMs > KEEP_CHUNKS_MS) rmSync(path, { force: true });
  }
}

const written = new Set();
for (const target of targets) {
  const [entry] = Object.values(target.entryPoints);
  if (!existsSync(entry)) continue;
  const { outputFiles } = await build({ ...shared, ...target, write: false });
  put(outputFiles);
  for (const { path } of outputFiles) written.add(basename(path));
}
dropOldChunks(written);
