/** App: one engine, and folders that are in the repository. */
import type { App, AppSource, AppSpec } from '../../../../contracts/objects/index.ts';
import { resolvePath } from '../../apps/paths.ts';
import { parseRange } from '../../sources/semver.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { eachDuplicate, type CheckContext } from './context.ts';

/** Fields of an App that are compared with the files of the commit and with other Apps. */
export function pathsOfApp({
  path,
  source,
  kustomize,
  helm,
  substitute,
  dependsOn = [],
}: AppSpec): readonly FieldPath[] {
  return [
    ...(path === undefined ? [] : [['spec', 'path']]),
    ...(source ? [['spec', 'source', 'url']] : []),
    ...(source?.secretRef ? [['spec', 'source', 'secretRef', 'name']] : []),
    ...(kustomize?.components ?? []).map((_, i) => ['spec', 'kustomize', 'components', i]),
    ...(helm?.chart ? [['spec', 'helm', 'chart']] : []),
    ...(helm?.chart?.secretRef ? [['spec', 'helm', 'chart', 'secretRef', 'name']] : []),
    ...(helm?.valuesFiles ?? []).map((_, i) => ['spec', 'helm', 'valuesFiles', i]),
    ...(helm?.valuesFrom ?? []).map((_, i) => ['spec', 'helm', 'valuesFrom', i, 'name']),
    ...(substitute?.from ?? []).map((_, i) => ['spec', 'substitute', 'from', i, 'name']),
    ...dependsOn.map((_, i) => ['spec', 'dependsOn', i, 'name']),
  ];
}

export function checkApp({ metadata, spec }: App, context: CheckContext): void {
  const { error } = context;
  const { path, kustomize, helm, dependsOn = [] } = spec;
  if (kustomize && helm)
    error(
      'InvalidValue',
      ['spec', 'helm'],
      'may not stand beside spec.kustomize',
      'an App has one engine; make two Apps',
    );
  if (path === undefined && !helm?.chart)
    error(
      'MissingField',
      ['spec'],
      'needs path, the folder that is rendered',
      'a chart from elsewhere is named by helm.chart instead',
    );
  if (path !== undefined && helm?.chart)
    error(
      'InvalidValue',
      ['spec', 'path'],
      'may not stand beside helm.chart',
      'name the chart in the repository by path, or one from elsewhere by helm.chart',
    );
  if (helm?.chart?.secretRef && helm.chart.repository.startsWith('http:'))
    error(
      'InvalidValue',
      ['spec', 'helm', 'chart', 'repository'],
      'must be https where there is a secretRef: anybody on the way could read it',
    );
  if (spec.source) checkSource(spec.source, spec, context);
  kustomize?.components?.forEach((component, i) => {
    if (path !== undefined && resolvePath(path, component) === undefined)
      error('InvalidValue', ['spec', 'kustomize', 'components', i], `leads out of the repository, found ${component}`);
  });
  if (helm && (helm.releaseName ?? metadata.name).length > MAX_RELEASE_NAME)
    error(
      'MissingField',
      ['spec', 'helm'],
      `needs releaseName: the App's name has more than the ${MAX_RELEASE_NAME} characters of Helm's releases`,
    );
  eachDuplicate(
    dependsOn,
    ({ name }) => name,
    (_, name, i) => {
      error('DuplicateName', ['spec', 'dependsOn', i, 'name'], `${name} is named already`);
    },
  );
  dependsOn.forEach(({ name }, i) => {
    if (name === metadata.name)
      error('InvalidValue', ['spec', 'dependsOn', i, 'name'], 'must be another App', 'it would wait for itself');
  });
}

function checkSource(source: AppSource, { helm }: AppSpec, { error }: CheckContext): void {
  const { url, branch, tag, semver, commit, secretRef } = source;
  if ([branch, tag, semver, commit].filter((given) => given !== undefined).length > 1)
    error('InvalidValue', ['spec', 'source'], 'may have only one of branch, tag, semver and commit');
  if (semver !== undefined && !parseRange(semver))
    error(
      'InvalidValue',
      ['spec', 'source', 'semver'],
      `must be a range of versions, found ${semver}`,
      'such as 1.2.x, ^1.2 or >=1.0.0 <2.0.0',
    );
  if (helm?.chart)
    error('InvalidValue', ['spec', 'source'], 'may not stand beside helm.chart', 'an App has its files from one place');
  if (url.startsWith('http:') && secretRef)
    error(
      'InvalidValue',
      ['spec', 'source', 'url'],
      'must be https where there is a secretRef: anybody on the way could read it',
    );
  if (url.startsWith('ssh:') && !secretRef)
    error(
      'MissingField',
      ['spec', 'source'],
      'needs secretRef where the URL is ssh://',
      "the Secret has identity, the private key, and known_hosts: the control plane's own are not used",
    );
}

/** Source: Helm, pkg/chart/common/util, maxNameLen. */
const MAX_RELEASE_NAME = 53;
