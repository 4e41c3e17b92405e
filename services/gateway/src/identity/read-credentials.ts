import { AppError } from '#libs/kernel';

const lengthMax = 8_192;
const apiKeyPrefix = 'slk_';

/** Both members are always its own: what is absent is never looked for in what all objects share. */
type Credentials = { apiKey: string; accessToken: undefined } | { apiKey: undefined; accessToken: string };

/** @throws AppError `auth.unauthenticated` */
export function readCredentials(authorization: string): Credentials {
  const match = /^(bearer|key) +([\x21-\x7e]+)$/i.exec(authorization.slice(0, lengthMax + 1).trim());
  const [, scheme = '', value = ''] = authorization.length > lengthMax ? [] : (match ?? []);
  if (value.startsWith(apiKeyPrefix)) return { apiKey: value, accessToken: undefined };
  if (scheme.toLowerCase() === 'bearer') return { apiKey: undefined, accessToken: value };
  throw new AppError(
    'auth.unauthenticated',
    'The credentials are not of a form that is known. Give "Bearer <access token>" or "Key <API key>" as authorization.',
  );
}
