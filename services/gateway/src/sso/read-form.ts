import type { IncomingMessage } from 'node:http';
import { AppError } from '#libs/kernel';

/** An answer of a provider is a signed document at most. */
const bytesMax = 256 * 1_024;
const formType = /^application\/x-www-form-urlencoded\s*(;|$)/i;

/** The form that a request carries, as it was sent; empty where it carries none. @throws AppError where it is none, or too large */
export async function readForm(request: IncomingMessage): Promise<string> {
  if (request.method !== 'POST') return '';
  const type = request.headers['content-type'];
  if (type === undefined && request.headers['content-length'] === '0') return '';
  if (type === undefined || !formType.test(type)) {
    throw new AppError('sso.request_invalid', 'Send this as a form.');
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Without an encoding a request gives buffers.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new AppError('sso.request_invalid', 'The form is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
