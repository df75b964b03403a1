/** What `restricted` asks beyond `baseline`. Source: Kubernetes, pod-security-admission/policy/check_*.go. */
import { procMount, seccompProfile } from './baseline.ts';
import {
  containersOf,
  containersText,
  hasOwnUsers,
  namesOf,
  plural,
  quoted,
  settersText,
  type Check,
  type Judge,
  type SecuredContainer,
} from './check.ts';

const allowPrivilegeEscalation: Judge = (pod) => {
  const bad = namesOf(pod, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (bad.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${containersText(bad)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

const capabilities: Judge = (pod) => {
  const added = ({ securityContext }: SecuredContainer): readonly string[] =>
    (securityContext?.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
  const keeping = namesOf(pod, (c) => c.securityContext?.capabilities?.drop?.includes('ALL') !== true);
  const adding = namesOf(pod, (container) => added(container).length > 0);
  const detail = [
    ...(keeping.length > 0 ? [`${containersText(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0
      ? [
          `${containersText(adding)} must not include ${quoted(containersOf(pod.spec).flatMap(added).sort())} in securityContext.capabilities.add`,
        ]
      : []),
  ];
  return detail.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: detail.join('; ') };
};

/** What is the pod's alone, or was made by whoever manages storage. */
const VOLUMES: ReadonlySet<string> = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);
const restrictedVolumes: Judge = ({ spec }) => {
  const bad = (spec.volumes ?? []).flatMap(({ name, ...sources }) => {
    const set = Object.entries(sources).flatMap(([type, source]) => (source === undefined ? [] : [type]));
    return set.some((type) => VOLUMES.has(type)) ? [] : [{ name, types: set }];
  });
  if (bad.length === 0) return undefined;
  const types = new Set(bad.flatMap((volume) => volume.types));
  return {
    reason: 'restricted volume types',
    detail: `${plural(bad.length, 'volume')} ${quoted(bad.map(({ name }) => name))} ${plural(bad.length, 'uses', 'use')} restricted volume ${plural(types.size, 'type')} ${quoted([...types].sort())}`,
  };
};

const runAsNonRoot: Judge = (pod) => {
  const byPod = pod.spec.securityContext?.runAsNonRoot;
  const setters = settersText(
    byPod === false,
    namesOf(pod, ({ securityContext }) => securityContext?.runAsNonRoot === false),
  );
  const reason = 'runAsNonRoot != true';
  if (setters !== undefined) return { reason, detail: `${setters} must not set securityContext.runAsNonRoot=false` };
  const silent = byPod === true ? [] : namesOf(pod, (c) => c.securityContext?.runAsNonRoot === undefined);
  if (silent.length === 0) return undefined;
  return { reason, detail: `pod or ${containersText(silent)} must set securityContext.runAsNonRoot=true` };
};

const runAsUser: Judge = (pod) => {
  const setters = settersText(
    pod.spec.securityContext?.runAsUser === 0,
    namesOf(pod, ({ securityContext }) => securityContext?.runAsUser === 0),
  );
  return setters === undefined ? undefined : { reason: 'runAsUser=0', detail: `${setters} must not set runAsUser=0` };
};

/** Root in a user namespace of the pod's own is nobody on the node. */
const unlessOwnUsers =
  (judge: Judge): Judge =>
  (pod) =>
    hasOwnUsers(pod) ? undefined : judge(pod);

const requiredSeccompProfile: Judge = (pod) => {
  const bad = seccompProfile(pod);
  if (bad || pod.spec.securityContext?.seccompProfile) return bad;
  const silent = namesOf(pod, ({ securityContext }) => securityContext?.seccompProfile === undefined);
  if (silent.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `pod or ${containersText(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};

const level = 'restricted';
export const RESTRICTED: readonly Check[] = [
  { id: 'allowPrivilegeEscalation', level, since: [[8, allowPrivilegeEscalation]] },
  { id: 'capabilities_restricted', level, overrides: 'capabilities_baseline', since: [[22, capabilities]] },
  { id: 'procMount_restricted', level, overrides: 'procMount', since: [[35, procMount]] },
  { id: 'restrictedVolumes', level, overrides: 'hostPathVolumes', since: [[0, restrictedVolumes]] },
  {
    id: 'runAsNonRoot',
    level,
    since: [
      [0, runAsNonRoot],
      [35, unlessOwnUsers(runAsNonRoot)],
    ],
  },
  {
    id: 'runAsUser',
    level,
    since: [
      [23, runAsUser],
      [35, unlessOwnUsers(runAsUser)],
    ],
  },
  {
    id: 'seccompProfile_restricted',
    level,
    overrides: 'seccompProfile_baseline',
    since: [[19, requiredSeccompProfile]],
  },
];
