import type { ServerResponse } from 'node:http';
import type { AppError } from '#libs/kernel';
import { scimSchemas } from './scim-resource.js';

/** RFC 7644, 3.12. */
export function sendScimError(
  response: ServerResponse,
  status: number,
  error: AppError,
  scimType = scimTypeOf(error),
): void {
  response.writeHead(status, { 'content-type': 'application/scim+json; charset=utf-8' });
  response.end(
    JSON.stringify({
      schemas: [scimSchemas.error],
      status: String(status),
      ...(scimType === undefined ? {} : { scimType }),
      detail: error.publicMessage,
    }),
  );
}

function scimTypeOf({ code, path, details }: AppError): string | undefined {
  const said = details?.['scimType'];
  if (typeof said === 'string') return said;
  if (code === 'auth.email_taken' || code === 'entity.name_taken') return 'uniqueness';
  if (code === 'input.too_large') return 'tooMany';
  if (code !== 'input.invalid') return undefined;
  return path[0] === 'filter' ? 'invalidFilter' : 'invalidValue';
}
