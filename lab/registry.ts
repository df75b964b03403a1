/** The lab's image registry: Debian's docker-registry on the bridge's address only, filled with the example images. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { exampleRecipes } from './images/examples.ts';
import { buildImage, type ImageRecipe } from './images/image.ts';
import { programEntries } from './images/programs.ts';
import { pushImage } from './images/push.ts';
import { spawnService } from './host.ts';
import { answers, findProgram, runOrFail, until } from './process.ts';
import { labPaths, machineAddress, registryAddress, type LabSettings } from './settings.ts';

const SERVICE = 'registry';
const GO_ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: '386',
  ppc64: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
};

export async function startRegistry(settings: LabSettings, signal?: AbortSignal): Promise<void> {
  const dir = labPaths.registry(settings.dir);
  await mkdir(`${dir}/storage`, { recursive: true });
  await writeFile(`${dir}/config.yml`, registryConfig(settings));
  spawnService(
    settings,
    SERVICE,
    [findProgram('docker-registry') ?? 'docker-registry', 'serve', `${dir}/config.yml`],
    `${dir}/registry.log`,
  );
  const port = Number(registryAddress(settings).split(':')[1]);
  await until(
    `The registry does not answer on ${registryAddress(settings)}; see ${dir}/registry.log.`,
    async () => ((await answers({ host: machineAddress(settings), port })) ? true : undefined),
    { timeoutMs: 30_000, signal },
  );
}

export async function registryIsUp(settings: LabSettings): Promise<boolean> {
  return answers({ host: machineAddress(settings), port: Number(registryAddress(settings).split(':')[1]) });
}

/** Builds the example images from this machine's programs and pushes them; gives their names. */
export async function pushExampleImages(settings: LabSettings, signal?: AbortSignal): Promise<readonly string[]> {
  const program = await readFile('/usr/bin/busybox');
  const applets = (await runOrFail(['/usr/bin/busybox', '--list'], { signal })).split('\n').filter(Boolean);
  const redis = await programEntries(['redis-server', 'redis-cli'], signal);
  const recipes = exampleRecipes({ program, applets }, redis);
  await pushRecipes(settings, recipes, signal);
  return recipes.map((recipe) => recipe.name);
}

async function pushRecipes(
  settings: LabSettings,
  recipes: readonly ImageRecipe[],
  signal?: AbortSignal,
): Promise<void> {
  for (const recipe of recipes)
    await pushImage(
      registryAddress(settings),
      buildImage(recipe, GO_ARCHITECTURES[process.arch] ?? process.arch),
      signal,
    );
}

function registryConfig(settings: LabSettings): string {
  return [
    'version: 0.1',
    'log: { level: warn, accesslog: { disabled: true } }',
    'storage:',
    `  filesystem: { rootdirectory: ${JSON.stringify(`${labPaths.registry(settings.dir)}/storage`)} }`,
    '  delete: { enabled: true }',
    '  cache: { blobdescriptor: inmemory }',
    'http:',
    `  addr: ${JSON.stringify(registryAddress(settings))}`,
    // Only signs upload states between instances of one registry; there is one, and it serves this machine alone.
    `  secret: ${JSON.stringify(createHash('sha256').update(settings.dir).digest('hex'))}`,
    '',
  ].join('\n');
}
