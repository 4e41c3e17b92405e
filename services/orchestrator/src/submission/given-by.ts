import type { Principal } from '#libs/identity';
import { AppError, type JsonObject } from '#libs/kernel';

/** What the caller has given, and what was given for a guest. @throws AppError where a guest chooses what is not its own */
export function givenBy({ guest }: Principal, given: JsonObject): JsonObject {
  if (!guest) return given;
  const taken = Object.keys(given).find((name) => Object.hasOwn(guest.parameters, name));
  if (taken !== undefined) {
    throw new AppError('parameter.invalid', 'This parameter has a fixed value.', {
      path: ['query', 'savedQuery', 'parameters', taken],
    });
  }
  return { ...given, ...guest.parameters };
}
