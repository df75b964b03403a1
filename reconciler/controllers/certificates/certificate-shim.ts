/** Certificates of Ingresses and Gateways that ask for them: makes them, keeps them as asked, and takes them away. */
import {
  objectKey,
  parseKey,
  type Certificate,
  type ObjectKey,
  type StoredCertificate,
} from '../../../contracts/objects/index.ts';
import { certificatesOf } from '../../core/certificates/shim.ts';
import type { Decision, Step } from '../../core/step.ts';
import { canonicalJson } from '../../core/storage/canonical-json.ts';
import { controllerOf } from '../../core/workloads/owners.ts';
import type { Controller, PassContext } from '../runtime/controller.ts';

const MOST_TOLD = 500;

function decide(key: ObjectKey, { view }: PassContext): Decision {
  const { kind, namespace, name } = parseKey(key);
  if (kind !== 'Ingress' && kind !== 'Gateway') return { steps: [] };
  const owner = view.get(objectKey(kind, namespace, name));
  if (!owner || owner.metadata.deletionTimestamp !== undefined) return { steps: [] };
  const { certificates, problems } = certificatesOf(owner);
  const wanted = new Map(certificates.map((one) => [one.metadata.name, one]));
  const steps: Step[] = [];
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string): void => {
    steps.push({ do: 'event', regarding: owner, type, reason, message: message.slice(0, MOST_TOLD) });
  };
  for (const certificate of wanted.values()) {
    const there = view.get(objectKey('Certificate', namespace, certificate.metadata.name));
    if (!there) {
      steps.push({ do: 'create', object: certificate });
      tell('Normal', 'CreateCertificate', `Successfully created Certificate "${certificate.metadata.name}"`);
    } else if (controllerOf(there.metadata)?.uid !== owner.metadata.uid)
      tell('Warning', 'BadConfig', `Certificate "${there.metadata.name}" is not of this object, and stays as it is`);
    else if (!isAsAsked(there, certificate)) {
      const { labels } = certificate.metadata;
      const { labels: _labels, ...metadata } = there.metadata;
      steps.push({
        do: 'update',
        object: { ...there, metadata: { ...metadata, ...(labels && { labels }) }, spec: certificate.spec },
      });
      tell('Normal', 'UpdateCertificate', `Successfully updated Certificate "${certificate.metadata.name}"`);
    }
  }
  for (const { metadata } of view.ownedBy('Certificate', owner.metadata.uid))
    if (!wanted.has(metadata.name)) {
      steps.push({ do: 'delete', key: objectKey('Certificate', namespace, metadata.name), uid: metadata.uid });
      tell('Normal', 'DeleteCertificate', `Successfully deleted unrequired Certificate "${metadata.name}"`);
    }
  for (const problem of problems) tell('Warning', 'BadConfig', problem);
  return { steps };
}

function isAsAsked(there: StoredCertificate, { metadata, spec }: Certificate): boolean {
  return (
    canonicalJson(there.spec) === canonicalJson(spec) &&
    canonicalJson(there.metadata.labels ?? {}) === canonicalJson(metadata.labels ?? {})
  );
}

export const certificateShim: Controller = {
  name: 'certificate-shim',
  kind: ['Ingress', 'Gateway'],
  concerns: (object, previous) => {
    if (object.kind !== 'Ingress' && object.kind !== 'Gateway') return false;
    const asks = certificatesOf(object);
    const before = previous?.kind === object.kind ? certificatesOf(previous) : undefined;
    // Its status changes often.
    if (before && canonicalJson(before) === canonicalJson(asks)) return false;
    return asks.certificates.length + asks.problems.length > 0 || (before?.certificates.length ?? 0) > 0;
  },
  watches: {
    Certificate: ({ metadata }, view) => {
      const owner = controllerOf(metadata);
      if (owner && (owner.kind === 'Ingress' || owner.kind === 'Gateway'))
        return [objectKey(owner.kind, metadata.namespace, owner.name)];
      // One that was in the way of another may be gone.
      return [
        ...view.list('Ingress', metadata.namespace).filter((one) => asksFor(one, metadata.name)),
        ...view.list('Gateway', metadata.namespace).filter((one) => asksFor(one, metadata.name)),
      ].map(({ kind, metadata: { namespace, name } }) => objectKey(kind, namespace, name));
    },
  },
  decide,
};

function asksFor(owner: Parameters<typeof certificatesOf>[0], name: string): boolean {
  return certificatesOf(owner).certificates.some(({ metadata }) => metadata.name === name);
}
