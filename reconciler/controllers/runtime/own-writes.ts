/**
 * Tells the change that a pass's own status write makes from those of others: a controller that wrote what it decided
 * has nothing to decide anew, or says so (`Decision.requeueAfterMs`). Only status writes of the pass's own object count;
 * all else may be what the next step of a controller waits for.
 */
import { isDeepStrictEqual } from 'node:util';
import { keyOf, type ObjectKey, type Stored } from '../../../contracts/objects/index.ts';
import { isTyped, type AnyStep } from '../../core/step.ts';

export class OwnWrites {
  readonly #expected = new Map<ObjectKey, Stored>();

  /** Before the steps of a pass over `key` are done; `over` afterwards. One pass of a key runs at a time. */
  expect(key: ObjectKey, steps: readonly AnyStep[]): { over(): void } {
    // Where it writes the object in other ways too, every change counts.
    const own = steps.filter(isTyped).filter((step) => 'object' in step && keyOf(step.object) === key);
    const [only] = own;
    if (own.length === 1 && only?.do === 'updateStatus') this.#expected.set(key, only.object);
    return {
      over: () => {
        this.#expected.delete(key);
      },
    };
  }

  /**
   * Whether the change from `previous` to `object` is the write. The store takes one write on a version, so it is where
   * the version that was replaced is the expected one; unless more came after it at once.
   */
  made(object: Stored, previous: Stored): boolean {
    const wanted = this.#expected.get(keyOf(object));
    return (
      wanted !== undefined &&
      wanted.metadata.resourceVersion === previous.metadata.resourceVersion &&
      isDeepStrictEqual(unversioned(previous), unversioned(object)) &&
      isDeepStrictEqual(statusOf(wanted), statusOf(object))
    );
  }
}

function unversioned(object: Stored): unknown {
  return { ...object, status: undefined, metadata: { ...object.metadata, resourceVersion: '' } };
}

/** As it comes back from the store: without members that are undefined. */
function statusOf(object: Stored): unknown {
  return 'status' in object ? JSON.parse(JSON.stringify(object.status ?? null)) : undefined;
}
