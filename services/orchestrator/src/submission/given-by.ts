import { isDeepStrictEqual } from 'node:util';
import type { Principal } from '#libs/identity';
import { AppError, type JsonObject } from '#libs/kernel';

/**
 * What the caller has given, and what was given for a guest, who may repeat it: a frontend sends what its form holds.
 * @throws AppError where a guest chooses what is not its own
 */
export function givenBy({ guest }: Principal, given: JsonObject): JsonObject {
  if (!guest) return given;
  const taken = Object.keys(given).find(
    (name) => Object.hasOwn(guest.parameters, name) && !isDeepStrictEqual(given[name], guest.parameters[name]),
  );
  if (taken !== undefined) {
    throw new AppError(
      'parameter.invalid',
      'This parameter has another value for this guest, which is fixed: leave it out.',
      {
        path: ['query', 'savedQuery', 'parameters', taken],
      },
    );
  }
  return { ...given, ...guest.parameters };
}
