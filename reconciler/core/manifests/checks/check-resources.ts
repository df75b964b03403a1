/** Resource lists. Source: Kubernetes, ValidateResourceRequirements. */
import { parseQuantity, QUANTITY_PATTERN, readKey } from '../../../../contracts/objects/index.ts';
import { suggest } from '../suggest.ts';
import type { FieldPath } from '../yaml-tree.ts';
import type { CheckContext } from './context.ts';

/** What containers may ask for without a domain. */
const RESOURCES = ['cpu', 'memory', 'ephemeral-storage'];
const EXTENDED = /^[a-z0-9.-]+\/[A-Za-z0-9._-]+$/;
const HUGE_PAGES = 'hugepages-';

interface Resources {
  readonly limits?: Readonly<Record<string, string>> | undefined;
  readonly requests?: Readonly<Record<string, string>> | undefined;
}

/** What limits are called at a place, and which names it knows besides those of containers. */
interface Place {
  readonly limits?: string;
  readonly others?: readonly string[];
}

/**
 * Resource names, amounts, and requests that do not go with their limit. Extended resources (`example.com/gpu`) come in
 * whole pieces, and neither they nor huge pages are promised twice: they need a limit, and the request is the same.
 */
export function checkResources(resources: Resources, path: FieldPath, place: Place, { error }: CheckContext): void {
  const fields = { limits: place.limits ?? 'limits', requests: 'requests' };
  const names = [...Object.keys(resources.limits ?? {}), ...Object.keys(resources.requests ?? {})];
  const hugePages = names.find((name) => name.startsWith(HUGE_PAGES));
  if (hugePages !== undefined && place.limits === undefined && !names.includes('cpu') && !names.includes('memory')) {
    error(
      'InvalidValue',
      [...path, Object.hasOwn(resources.limits ?? {}, hugePages) ? 'limits' : 'requests', hugePages],
      'needs cpu or memory beside it',
    );
  }
  const known = [...RESOURCES, ...(place.others ?? [])];
  for (const part of ['limits', 'requests'] as const) {
    for (const [resource, amount] of Object.entries(resources[part] ?? {})) {
      const at = [...path, fields[part], resource];
      const limit = readKey(resources.limits, resource);
      // Requests that were not written are filled from limits: one report is enough.
      if (part === 'requests' && limit === amount) continue;
      const extended = EXTENDED.test(resource);
      if (!known.includes(resource) && !resource.startsWith(HUGE_PAGES) && !extended) {
        const close = suggest(resource, known);
        error(
          'UnknownResource',
          at,
          'is not a resource',
          close ? `did you mean ${close}?` : `known: ${known.join(', ')}; others need a domain, as in example.com/gpu`,
        );
      }
      const units = parseQuantity(amount);
      if (units < 0) error('InvalidValue', at, `must not be negative, found ${amount}`);
      if (resource.startsWith(HUGE_PAGES)) {
        const size = QUANTITY_PATTERN.test(resource.slice(HUGE_PAGES.length))
          ? parseQuantity(resource.slice(HUGE_PAGES.length))
          : 0;
        if (size <= 0)
          error('UnknownResource', at, 'is not a resource', 'huge pages name their size, as in hugepages-2Mi');
        else if (part === 'limits' && (units <= 0 || units % size !== 0))
          error('InvalidValue', at, `must be a multiple of the size of a page, found ${amount}`);
      }
      if (extended && !Number.isInteger(units)) error('InvalidValue', at, `must be a whole number, found ${amount}`);
      if (part === 'limits') continue;
      const exact = extended || resource.startsWith(HUGE_PAGES);
      if (exact && limit === undefined)
        error(
          'InvalidValue',
          at,
          'needs the same amount in limits: this resource is never promised twice',
          `add to limits: ${resource}: ${amount}`,
        );
      else if (limit === undefined) continue;
      else if (exact && units !== parseQuantity(limit))
        error('InvalidValue', at, `must be the same as the limit (${limit}), found ${amount}`);
      else if (units > parseQuantity(limit))
        error('RequestOverLimit', at, `must be at most the limit (${limit}), found ${amount}`);
    }
  }
}
