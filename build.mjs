/**
 * Bundles the CLI (with the control plane) and the node agent into dist/. `--package`: for `npm pack`, with the licences of
 * what is in the bundles, and without the chunks of earlier builds.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
/** zod's words in other languages are half of it, and every command would load them. */
const englishAlone = {
  name: 'english-alone',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, ({ path }) => ({
      contents: "export { default as en } from './en.js';",
      resolveDir: dirname(path),
    }));
  },
};
const shared = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'warning',
  banner: { js: banner },
  plugins: [englishAlone],
};
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
    // Names stay for stack traces. `keepNames` would say each at run time, for every closure that is made.
    minifyWhitespace: true,
    minifySyntax: true,
    sourcemap: false,
  },
];
const isPackage = process.argv.includes('--package');
/** A command that runs loads its chunks when it needs them: those of earlier builds stay for as long as one may run. */
const KEEP_CHUNKS_MS = isPackage ? -1 : 7 * 24 * 3600 * 1000;
/** Another build writes and renames files meanwhile; those of one that was killed are older. */
const KEEP_UNFINISHED_MS = 3600 * 1000;
const LICENCES = 'dist/THIRD-PARTY-LICENSES.txt';

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
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? {};
    const keepMs = /\.\d+$/.test(name) ? KEEP_UNFINISHED_MS : KEEP_CHUNKS_MS;
    if (mtimeMs !== undefined && !written.has(name) && Date.now() - mtimeMs > keepMs) rmSync(path, { force: true });
  }
}

/** The package's folder that a bundled file is of, as esbuild names it; undefined for a file of ours. */
function packageOf(input) {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
}

/** Name, version, licence and its text of each package. Throws for one without a licence: it may not be given away. */
function licencesOf(folders) {
  return [...folders]
    .map((folder) => {
      const { name, version, license, licenses } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const named = license ?? licenses?.map(({ type }) => type).join(' or ');
      if (typeof named !== 'string') throw new Error(`${folder} names no licence`);
      const texts = readdirSync(folder)
        .filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
        .map((file) => readFileSync(join(folder, file), 'utf8').trim());
      return [`${name} ${version}: ${named}`, ...texts].join('\n\n');
    })
    .sort()
    .join(`\n\n${'-'.repeat(80)}\n\n`);
}

const written = new Set();
const packages = new Set();
for (const target of targets) {
  const [entry] = Object.values(target.entryPoints);
  if (!existsSync(entry)) continue;
  const { outputFiles, metafile } = await build({ ...shared, ...target, write: false, metafile: true });
  put(outputFiles);
  for (const input of Object.keys(metafile.inputs)) packages.add(packageOf(input));
  for (const { path } of outputFiles) written.add(basename(path));
}
dropOldChunks(written);
packages.delete(undefined);
if (isPackage) writeFileSync(LICENCES, `${licencesOf(packages)}\n`);
