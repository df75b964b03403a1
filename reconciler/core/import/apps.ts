/** Apps that an import makes: each with a name of its own, in a file of its own. */
import { OWN_API_VERSION, STANDING_NAMESPACES } from '../../../contracts/objects/index.ts';
import type { Position } from '../manifests/index.ts';
import type { Chart } from './chart.ts';
import { withoutSecrets } from './helm-values.ts';
import { dataKey, dnsLabel } from './names.ts';
import type { Report } from './report.ts';
import type { OutputFile } from './types.ts';
import { manifestsText, type Manifest } from './write-yaml.ts';

type Json = Readonly<Record<string, unknown>>;

export interface AppDraft {
  /** What others name when they depend on it: several Apps may come of one thing. */
  readonly keys: readonly string[];
  readonly name: string;
  /** Takes its place where the name is in use. */
  readonly otherName: string;
  readonly at: Position;
  readonly namespace?: string | undefined;
  readonly path?: string | undefined;
  readonly kustomize?: Json | undefined;
  readonly helm?: HelmDraft | undefined;
  readonly substitute?: Json | undefined;
  readonly dependsOn: readonly { readonly key: string; readonly at: Position }[];
  readonly prune?: boolean | undefined;
  readonly comments?: readonly string[];
}

export interface HelmDraft {
  readonly chart?: Chart | undefined;
  readonly releaseName?: string | undefined;
  readonly valuesFiles?: readonly string[] | undefined;
  readonly valuesFrom?: readonly Json[] | undefined;
  readonly values?: Json | undefined;
  readonly includeCRDs?: false | undefined;
}

/** Where an import puts what it adds to a tree. */
const APPS_FOLDER = 'plumbline';
const MAX_RELEASE_NAME = 53;

export class Apps {
  readonly #drafts: AppDraft[] = [];
  readonly #namespaces = new Map<string, Json | undefined>();

  add(draft: AppDraft): void {
    this.#drafts.push(draft);
  }

  /** Folders of Apps. */
  get paths(): readonly string[] {
    return this.#drafts.flatMap(({ path, helm }) => (path === undefined || helm ? [] : [path]));
  }

  /** A Namespace that has to be. */
  needNamespace(name: string, labels?: Json): void {
    this.#namespaces.set(name, labels ?? this.#namespaces.get(name));
  }

  /** `made`: Namespaces that the tree makes. Those of Apps that it does not make are added. */
  files(report: Report, made: ReadonlySet<string>): OutputFile[] {
    for (const { namespace } of this.#drafts) if (namespace !== undefined) this.needNamespace(namespace);
    for (const name of made) this.#namespaces.delete(name);
    for (const name of STANDING_NAMESPACES) if (!this.#namespaces.get(name)) this.#namespaces.delete(name);
    const names = this.#named();
    const files = [...names].map(([name, draft]) => ({
      path: `${APPS_FOLDER}/${name}.yaml`,
      text: manifestsText([this.#manifest(name, draft, names, report)]),
    }));
    if (this.#namespaces.size > 0) {
      const namespaces = [...this.#namespaces]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, labels]) => ({
          object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } },
        }));
      let path = `${APPS_FOLDER}/namespaces.yaml`;
      if (names.has('namespaces')) path = `${APPS_FOLDER}/namespaces-of-apps.yaml`;
      files.push({ path, text: manifestsText(namespaces) });
    }
    return files;
  }

  #named(): ReadonlyMap<string, AppDraft> {
    const named = new Map<string, AppDraft>();
    /** The next number of a name, where many want it. */
    const numbers = new Map<string, number>();
    for (const draft of this.#drafts) {
      const base = dnsLabel(draft.name);
      let name = [base, dnsLabel(draft.otherName)].find((each) => !named.has(each));
      for (let n = numbers.get(base) ?? 2; name === undefined; n++) {
        const numbered = `${base.slice(0, 55)}-${n}`;
        if (!named.has(numbered)) name = numbered;
        numbers.set(base, n + 1);
      }
      named.set(name, draft);
    }
    return named;
  }

  #manifest(name: string, draft: AppDraft, names: ReadonlyMap<string, AppDraft>, report: Report): Manifest {
    const { namespace, path, kustomize, helm, substitute, prune, comments } = draft;
    const dependsOn = new Set<string>();
    for (const { key, at } of draft.dependsOn) {
      const found = [...names]
        .filter(([other, { keys }]) => other !== name && keys.includes(key))
        .map(([other]) => other);
      if (found.length === 0)
        report.missing(
          at,
          `${draft.name} depends on ${key.slice(key.lastIndexOf('/') + 1)}, of which there is no App`,
          'nothing of it is left, or it was not found',
        );
      for (const other of found) dependsOn.add(other);
    }
    return {
      object: {
        apiVersion: OWN_API_VERSION,
        kind: 'App',
        metadata: { name },
        spec: {
          path,
          namespace,
          kustomize,
          helm: helm && helmSpec(name, helm, draft.at, report),
          substitute,
          dependsOn: dependsOn.size > 0 ? [...dependsOn].sort().map((other) => ({ name: other })) : undefined,
          prune: prune === false ? false : undefined,
        },
      },
      ...(comments && { comments }),
    };
  }
}

function helmSpec(app: string, helm: HelmDraft, at: Position, report: Report): Json {
  const { chart, releaseName, valuesFiles, includeCRDs } = helm;
  const release = releaseName?.slice(0, MAX_RELEASE_NAME).replace(/-+$/, '');
  const { values, secrets } = withoutSecrets(helm.values ?? {});
  const secret = `${app}-values`;
  const valuesFrom = [...(helm.valuesFrom ?? [])];
  for (const { path } of secrets) {
    const valuesKey = dataKey(path);
    valuesFrom.push({ kind: 'Secret', name: secret, valuesKey, targetPath: path, optional: true });
    report.secret(
      at,
      `the value ${path} of App ${app} was not written`,
      `where the chart takes the name of a Secret in its place, write an encrypted one; else put it into the Secret ${secret}, key ${valuesKey}, which Helm has to read: not encrypted`,
    );
  }
  return {
    chart,
    releaseName: release === undefined || release === app ? undefined : release,
    valuesFiles: valuesFiles?.length ? valuesFiles : undefined,
    valuesFrom: valuesFrom.length > 0 ? valuesFrom : undefined,
    values: Object.keys(values).length > 0 ? values : undefined,
    includeCRDs,
  };
}
