import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { machineManifests } from '../../../lab/manifests.ts';
import {
  DeploymentManifest,
  isKind,
  KINDS,
  labelsInclude,
  MachineManifest,
  StatefulSetManifest,
  type Deployment,
  type StatefulSet,
} from '../../../contracts/objects/index.ts';

const ROOT = join(import.meta.dirname, '../../../examples-repo');
const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.ya?ml$/.test(name))
  .sort();

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly selector?: Readonly<Record<string, string>> };
}

function documents(text: string): Manifest[] {
  return parseAllDocuments(text, { version: '1.1', uniqueKeys: true }).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Manifest;
  });
}

/** Parses a manifest with the schema of its kind; a kind without one fails the test. */
function parse(manifest: Manifest): unknown {
  assert.ok(isKind(manifest.kind), `unknown kind ${manifest.kind}`);
  const schema = KINDS[manifest.kind].manifest;
  assert.ok(schema, `${manifest.kind} cannot be written in a repository`);
  return schema.parse(manifest);
}

describe('examples-repo', () => {
  it('has the cluster and the apps', () =>
    assert.deepEqual(files, [
      'apps/greeter.yaml',
      'apps/hello.yaml',
      'apps/members.yaml',
      'apps/node-logger.yaml',
      'apps/notes.yaml',
      'apps/report.yaml',
      'apps/visits/autoscaler.yaml',
      'apps/visits/database.yaml',
      'apps/visits/report.yaml',
      'apps/visits/web.yaml',
      'apps/visits/worker.yaml',
      'plumbline.yaml',
    ]));

  for (const file of files) {
    for (const manifest of documents(readFileSync(join(ROOT, file), 'utf8'))) {
      it(`${file}: ${manifest.kind} ${manifest.metadata.name} is valid`, () => void parse(manifest));
    }
  }

  it('has Services that select the pods of a workload, workloads that select their own', () => {
    const all = files.flatMap((file) => documents(readFileSync(join(ROOT, file), 'utf8')));
    const workloads: (Deployment | StatefulSet)[] = [
      ...all.filter((m) => m.kind === 'Deployment').map((m) => DeploymentManifest.parse(m)),
      ...all.filter((m) => m.kind === 'StatefulSet').map((m) => StatefulSetManifest.parse(m)),
    ];
    assert.ok(workloads.length > 0);
    for (const d of workloads)
      assert.ok(labelsInclude(d.spec.template.metadata?.labels, d.spec.selector.matchLabels), d.metadata.name);
    for (const service of all.filter((m) => m.kind === 'Service')) {
      assert.ok(
        workloads.some((d) => labelsInclude(d.spec.template.metadata?.labels, service.spec?.selector)),
        service.metadata.name,
      );
    }
  });

  it('pulls only images that the lab has', () => {
    const images = files.flatMap((file) =>
      [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^\s*image: (\S+)$/gm)].map((match) => match[1]),
    );
    assert.ok(images.length > 0);
    for (const image of images)
      assert.ok(
        ['hello:1', 'hello:2', 'busybox:1', 'redis:lab'].includes(image?.replace('registry.lab/', '') ?? ''),
        image,
      );
  });
});

describe('machine manifests of a lab', () => {
  it('are one valid Machine per host, with its key pinned', () => {
    const hostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPFNfmKXFVAfA+43PebKlmWue6DXBOl1YzG7wUFl3prL';
    const [manifest, ...rest] = machineManifests({
      nodes: [{ name: 'node-1', address: '198.18.0.11', port: 22, hostKey, state: 'up' }],
    });
    assert.ok(manifest);
    assert.deepEqual(rest, []);
    assert.equal(manifest.path, 'machines/node-1.yaml');
    const machine = MachineManifest.parse(documents(manifest.text)[0]);
    assert.deepEqual(
      [machine.metadata.name, machine.spec.address, machine.spec.port, machine.spec.hostKey],
      ['node-1', '198.18.0.11', 22, hostKey],
    );
  });
});
