import type { RequestOf, serviceAccountRequests } from '#libs/contracts';
import type { Guest, Principal, Reach } from '#libs/identity';
import { isId } from '#libs/kernel';
import { isTimeZone } from '#libs/sql';
import { Issues } from '../input/issues.js';
import { isLocale } from '../input/locale.js';
import { refuseOwnNames } from '../user/attributes.js';

const queriesMax = 20;
/** They travel in the guest's token, which goes with each of its requests. */
const bytesMax = 1_000;
const secondsMin = 60;
const secondsMax = 3_600;
const secondsDefault = 600;

export interface ParsedGuest {
  readonly reach: Reach;
  readonly guest: Guest;
  readonly ttlSeconds: number;
}

/** @throws AppError with every fault at its place */
export function parseGuest(
  input: RequestOf<typeof serviceAccountRequests.mintGuest>,
  { userId: mintedById, reach }: Principal,
): ParsedGuest {
  const issues = new Issues();
  const { savedQueryIds, parameters = {}, attributes = {}, timeZone, locale } = input;
  const ttlSeconds = input.expiresInSeconds ?? secondsDefault;
  if (savedQueryIds.length === 0 || savedQueryIds.length > queriesMax) {
    issues.add(['savedQueryIds'], `A guest runs from 1 to ${queriesMax} saved queries.`);
  }
  for (const [index, id] of savedQueryIds.entries()) {
    const path = ['savedQueryIds', String(index)];
    if (!isId('savedQuery', id)) issues.add(path, 'There is no such saved query.');
    else if (reach && !reach.savedQueryIds.includes(id)) issues.forbid(path, 'This key is not for that saved query.');
  }
  for (const [name, value] of Object.entries({ parameters, attributes })) {
    if (Buffer.byteLength(JSON.stringify(value)) > bytesMax)
      issues.add([name], `${name} have at most ${bytesMax} bytes.`);
  }
  refuseOwnNames(attributes, issues);
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    issues.add(['timeZone'], 'timeZone must be the IANA name of a time zone, such as Europe/Berlin.');
  }
  if (locale !== undefined && !isLocale(locale)) issues.add(['locale'], 'This is no language tag.');
  if (ttlSeconds < secondsMin || ttlSeconds > secondsMax) {
    issues.add(['expiresInSeconds'], `expiresInSeconds must be from ${secondsMin} to ${secondsMax}.`);
  }
  issues.throwIfAny();
  return {
    reach: { dataSourceIds: [], savedQueryIds: [...new Set(savedQueryIds)] },
    guest: { mintedById, parameters, attributes, timeZone, locale },
    ttlSeconds,
  };
}
