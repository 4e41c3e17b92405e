import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '#libs/kernel';

interface Rights {
  readonly disabled: boolean;
  readonly attributes: JsonObject;
  readonly roleNames: readonly string[];
  readonly groupNames: readonly string[];
}

/** If tokens of before stand for something that is no longer so. Attributes are kept by whoever reads them, for a token. */
export function changesRights(before: Rights, after: Rights): boolean {
  const differs = (one: readonly string[], other: readonly string[]): boolean =>
    one.toSorted().join('\n') !== other.toSorted().join('\n');
  return (
    before.disabled !== after.disabled ||
    !isDeepStrictEqual(before.attributes, after.attributes) ||
    differs(before.roleNames, after.roleNames) ||
    differs(before.groupNames, after.groupNames)
  );
}
