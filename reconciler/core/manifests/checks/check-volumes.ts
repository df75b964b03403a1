/** A pod's volumes and where its containers have them. Source: Kubernetes pkg/apis/core/validation, ValidateVolumes. */
import { parseQuantity, type Container, type PodSpec, type Volume } from '../../../../contracts/objects/index.ts';
import { MOST_TOKENS, tokenRequests } from '../../../../contracts/objects/pod-tokens.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { checkFieldRef, checkResourceFieldRef } from './check-downward.ts';
import { eachDuplicate, type CheckContext } from './context.ts';

/** `containers`: names of the pod's own and of its init containers. `path`: of the pod's spec. */
export function checkVolumes(
  spec: PodSpec,
  containers: ReadonlySet<string>,
  path: FieldPath,
  context: CheckContext,
): void {
  eachDuplicate(
    spec.volumes ?? [],
    (v) => v.name,
    (_, name, i) => {
      context.error(
        'DuplicateName',
        [...path, 'volumes', i, 'name'],
        `${name} is the name of another volume of this pod`,
      );
    },
  );
  for (const [i, volume] of (spec.volumes ?? []).entries())
    checkVolume(volume, containers, [...path, 'volumes', i], context);
  const tokens = tokenRequests(spec).length;
  if (tokens > MOST_TOKENS)
    context.error(
      'InvalidValue',
      [...path, 'volumes'],
      `must ask for at most ${MOST_TOKENS} different serviceAccountTokens, found ${tokens}`,
    );
}

function checkVolume(volume: Volume, containers: ReadonlySet<string>, at: FieldPath, context: CheckContext): void {
  const { emptyDir, hostPath, nfs, configMap, secret, downwardAPI, projected } = volume;
  const sizeLimit = emptyDir?.sizeLimit;
  if (sizeLimit !== undefined && parseQuantity(sizeLimit) < 0)
    context.error('InvalidValue', [...at, 'emptyDir', 'sizeLimit'], `must not be negative, found ${sizeLimit}`);
  if (hostPath && (!hostPath.path.startsWith('/') || hostPath.path.split('/').includes('..')))
    context.error('InvalidValue', [...at, 'hostPath', 'path'], "must be an absolute path without '..'");
  if (nfs && !nfs.path.startsWith('/'))
    context.error('InvalidValue', [...at, 'nfs', 'path'], 'must be an absolute path');
  for (const [source, said] of Object.entries({ configMap, secret, downwardAPI, projected }))
    if (said) checkMode(said.defaultMode, [...at, source, 'defaultMode'], context);
  checkItems(configMap?.items, [...at, 'configMap'], context);
  checkItems(secret?.items, [...at, 'secret'], context);
  checkDownward(downwardAPI?.items, containers, [...at, 'downwardAPI'], context);
  if (projected) checkProjected(projected, containers, [...at, 'projected'], context);
}

type Items = NonNullable<Volume['configMap']>['items'];
type DownwardItems = NonNullable<Volume['downwardAPI']>['items'];

function checkItems(items: Items, at: FieldPath, context: CheckContext): void {
  for (const [i, { path, mode }] of (items ?? []).entries()) checkFile(path, mode, [...at, 'items', i], context);
}

function checkDownward(
  items: DownwardItems,
  containers: ReadonlySet<string>,
  at: FieldPath,
  context: CheckContext,
): void {
  for (const [i, { path, mode, fieldRef, resourceFieldRef }] of (items ?? []).entries()) {
    const itemAt = [...at, 'items', i];
    checkFile(path, mode, itemAt, context);
    if ([fieldRef, resourceFieldRef].filter(Boolean).length !== 1)
      context.error('InvalidValue', itemAt, 'must have exactly one of fieldRef, resourceFieldRef');
    if (fieldRef) checkFieldRef(fieldRef, 'file', [...itemAt, 'fieldRef'], context);
    if (resourceFieldRef)
      checkResourceFieldRef(resourceFieldRef, containers, 'file', [...itemAt, 'resourceFieldRef'], context);
  }
}

/** Files that are named must be at different paths; those of a source that names none are looked at on the node. */
function checkProjected(
  { sources }: NonNullable<Volume['projected']>,
  containers: ReadonlySet<string>,
  at: FieldPath,
  context: CheckContext,
): void {
  const files: { readonly path: string; readonly at: FieldPath }[] = [];
  for (const [i, source] of (sources ?? []).entries()) {
    const sourceAt = [...at, 'sources', i];
    if (Object.values(source).filter((one) => one !== undefined).length > 1)
      context.error(
        'InvalidValue',
        sourceAt,
        'must have at most one of configMap, downwardAPI, secret, serviceAccountToken',
      );
    checkItems(source.configMap?.items, [...sourceAt, 'configMap'], context);
    checkItems(source.secret?.items, [...sourceAt, 'secret'], context);
    checkDownward(source.downwardAPI?.items, containers, [...sourceAt, 'downwardAPI'], context);
    for (const name of ['configMap', 'secret', 'downwardAPI'] as const)
      for (const [j, { path }] of (source[name]?.items ?? []).entries())
        files.push({ path, at: [...sourceAt, name, 'items', j, 'path'] });
    const token = source.serviceAccountToken;
    if (!token) continue;
    const tokenAt = [...sourceAt, 'serviceAccountToken'];
    checkFile(token.path, undefined, tokenAt, context);
    files.push({ path: token.path, at: [...tokenAt, 'path'] });
  }
  eachDuplicate(
    files,
    ({ path }) => path,
    (file, path) => context.error('DuplicateName', file.at, `${path} is the path of another file of this volume`),
  );
}

function checkFile(path: string, mode: number | undefined, at: FieldPath, context: CheckContext): void {
  if (path.startsWith('/') || path.startsWith('..') || path.split('/').includes('..'))
    context.error('InvalidValue', [...at, 'path'], "must be a relative path without '..', and not start with '..'");
  if (mode !== undefined) checkMode(mode, [...at, 'mode'], context);
}

function checkMode(mode: number, at: FieldPath, { error }: CheckContext): void {
  if (mode < 0 || mode > 0o777)
    error(
      'InvalidValue',
      at,
      `must be between 0 and 0777 (octal), found ${mode}`,
      'write the mode with a leading 0, as in 0644',
    );
}

/** Source: Kubernetes, ValidateVolumeMounts, validateMountPropagation, validateMountRecursiveReadOnly. */
export function checkMounts(
  { volumeMounts: mounts = [], securityContext }: Container,
  path: FieldPath,
  volumes: ReadonlySet<string>,
  { error, closest }: CheckContext,
): void {
  for (const [i, mount] of mounts.entries()) {
    const at = [...path, 'volumeMounts', i];
    if (!volumes.has(mount.name)) {
      const close = closest(mount.name, () => [...volumes]);
      error(
        'UnknownVolume',
        [...at, 'name'],
        `names the volume ${mount.name}, which this pod does not have`,
        close ? `did you mean ${close}?` : `add it to the pod's volumes`,
      );
    }
    for (const field of ['subPath', 'subPathExpr'] as const)
      if (mount[field]?.startsWith('/') || mount[field]?.split('/').includes('..'))
        error('InvalidValue', [...at, field], "must be a relative path without '..'");
    if (mount.subPath !== undefined && mount.subPathExpr !== undefined)
      error('ForbiddenField', [...at, 'subPathExpr'], 'may not be set together with subPath', 'remove one of the two');
    if (!mount.mountPath.startsWith('/') || mount.mountPath.includes(':'))
      error('InvalidValue', [...at, 'mountPath'], "must be an absolute path without ':'");
    if (mount.mountPropagation === 'Bidirectional' && securityContext?.privileged !== true)
      error('InvalidValue', [...at, 'mountPropagation'], 'may be Bidirectional only in a privileged container');
    if (mount.recursiveReadOnly === undefined || mount.recursiveReadOnly === 'Disabled') continue;
    if (!mount.readOnly)
      error(
        'ForbiddenField',
        [...at, 'recursiveReadOnly'],
        'may be set only when readOnly is true',
        'add readOnly: true',
      );
    if (mount.mountPropagation !== undefined && mount.mountPropagation !== 'None')
      error('ForbiddenField', [...at, 'recursiveReadOnly'], 'may be set only when mountPropagation is None');
  }
  eachDuplicate(
    mounts,
    (m) => m.mountPath,
    (_, mountPath, i) =>
      error(
        'DuplicateName',
        [...path, 'volumeMounts', i, 'mountPath'],
        `${mountPath} is the mountPath of another volume`,
      ),
  );
}
