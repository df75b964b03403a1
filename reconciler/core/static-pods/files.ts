/**
 * Pods of files that lie on their node. As under a kubelet: the node's name is put behind the pod's, it is bound to the
 * node from the start and never moved, and it uses no other object of the cluster. Source: Kubernetes,
 * pkg/kubelet/config/common.go (applyDefaults) and plugin/pkg/admission/noderestriction (admitPodCreate).
 *
 * Whoever has a machine writes its files, so such a pod also has no labels: no Service, policy or budget of others selects
 * it. And it is in one namespace.
 */
import { keyOf, type ObjectKey, type Pod, type PodSpec } from '../../../contracts/objects/index.ts';
import { parsingManifest } from '../manifests/parse-manifest.ts';
import { SOURCE_ANNOTATION } from '../diff/types.ts';
import type { Paced } from '../paced.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { nameHash } from '../workloads/stable-hash.ts';
import { asStaticPod, problemOfSpec, STATIC_NAMESPACE } from './static-pod.ts';

const HASH_CHARS = 32;
const LONGEST_NAME = 253;
/** Of one node: the files hold no more than some hundred KiB. */
const MOST_PODS = 32;
/** Of what is refused: each is an event of the node. */
const MOST_TOLD = 16;

export interface NodeFile {
  readonly name: string;
  readonly text: string;
}

export interface StaticPods {
  readonly pods: readonly Pod[];
  /** Files, or parts of them, of which nothing comes, and why; beyond {@link MOST_TOLD} only how many more. */
  readonly refused: readonly { readonly file: string; readonly message: string }[];
}

/** What the files of a node ask for. The same files give the same pods, in any order. */
export function* staticPods(node: string, files: readonly NodeFile[]): Paced<StaticPods> {
  const pods = new Map<ObjectKey, Pod>();
  const refused: { file: string; message: string }[] = [];
  let notTold = 0;
  const inOrder = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name: file, text } of inOrder) {
    const refuse = (message: string): void => {
      if (refused.length < MOST_TOLD) refused.push({ file, message });
      else notTold += 1;
    };
    const { objects, custom, diagnostics } = yield* parsingManifest(
      file,
      '',
      Buffer.from(text),
      undefined,
      STATIC_NAMESPACE,
    );
    const wrong = diagnostics.find(({ severity }) => severity === 'error');
    if (wrong) {
      refuse(`line ${wrong.line}: ${wrong.message}`);
      continue;
    }
    if (custom.length > 0) refuse('it may have Pods alone');
    for (const { object } of objects) {
      if (object.kind !== 'Pod') {
        refuse(`it may have Pods alone, not a ${object.kind}`);
        continue;
      }
      const pod = onNode(object, node);
      const problem =
        problemOf(object) ??
        (pod.metadata.name.length > LONGEST_NAME ? 'the name is too long with the node behind it' : undefined) ??
        (pods.has(keyOf(pod)) ? 'another file has a pod of that name' : undefined) ??
        (pods.size >= MOST_PODS ? `a node may have ${MOST_PODS} such pods` : undefined);
      if (problem === undefined) pods.set(keyOf(pod), pod);
      else refuse(`${object.metadata.name}: ${problem}`);
    }
  }
  if (notTold > 0) refused.push({ file: inOrder.at(-1)?.name ?? '', message: `and ${notTold} more that are refused` });
  return { pods: [...pods.values()], refused };
}

function onNode({ metadata, spec }: Pod, node: string): Pod {
  const tolerations = (spec.tolerations ?? []).filter((one) => !isOfOutage(one));
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${metadata.name}-${node}`,
      namespace: STATIC_NAMESPACE,
      ...(metadata.annotations && { annotations: metadata.annotations }),
    },
    spec: { ...spec, nodeName: node, tolerations: [...tolerations, { operator: 'Exists', effect: 'NoExecute' }] },
  };
  return asStaticPod(pod, nameHash(canonicalJson(pod), HASH_CHARS));
}

/** What every pod has that says nothing of it: this one is never taken off its node. */
function isOfOutage({ key, tolerationSeconds }: NonNullable<PodSpec['tolerations']>[number]): boolean {
  return /^node\.kubernetes\.io\/(not-ready|unreachable)$/.test(key ?? '') && tolerationSeconds !== undefined;
}

function problemOf({ metadata, spec }: Pod): string | undefined {
  if (metadata.annotations?.[SOURCE_ANNOTATION] !== undefined)
    return `it has the annotation ${SOURCE_ANNOTATION}, which is for what comes from Git`;
  if (metadata.namespace !== STATIC_NAMESPACE)
    return `its namespace is ${STATIC_NAMESPACE}, or none is named; pods of a node's files are in no other`;
  return problemOfSpec(metadata.name, spec);
}
