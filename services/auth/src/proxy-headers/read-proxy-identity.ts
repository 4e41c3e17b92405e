import { timingSafeEqual } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { secretHash } from '#libs/encryption';
import type { ProxyOptions } from './proxy-options.js';

const valueLengthMax = 2_000;

export interface ProxyHeader {
  readonly name: string;
  readonly value: string;
}

export interface ProxyRequest {
  /** The other end of the connection itself. */
  readonly peerAddress: string;
  readonly headers: readonly ProxyHeader[];
}

export interface ProxyIdentity {
  readonly subject: string;
  readonly email: string | undefined;
  readonly name: string | undefined;
  readonly claims: Readonly<Record<string, string[]>>;
}

/** Why a request is not believed; for the log. */
export class ProxyFault extends Error {
  override readonly name = 'ProxyFault';
}

/**
 * Who a trusted proxy says this is. It is believed only where the connection comes from a named network and the request has
 * the secret, both, and where each header is there once: a header that a client smuggled in beside the proxy's is a second.
 * @throws ProxyFault
 */
export function readProxyIdentity(request: ProxyRequest, options: ProxyOptions): ProxyIdentity {
  const isNamed = isInNetworks(request.peerAddress, options.networks);
  const isSecretRight = equals(valuesOf(request, options.secretHeader), options.secret);
  if (!isNamed) throw new ProxyFault(`the connection comes from ${request.peerAddress}, which is in no named network`);
  if (!isSecretRight) throw new ProxyFault('the shared secret is wrong or missing');
  const [subject, email, name, groups] = [
    options.subjectHeader,
    options.emailHeader,
    options.nameHeader,
    options.groupsHeader,
  ].map((header) => onlyValue(request, header));
  if (!subject) throw new ProxyFault(`the proxy names nobody in ${options.subjectHeader}`);
  const names = (groups ?? '').split(',').map((group) => group.trim());
  return {
    subject,
    email,
    name,
    claims: {
      subject: [subject],
      ...(email ? { email: [email] } : {}),
      ...(name ? { name: [name] } : {}),
      groups: names.filter((group) => group !== ''),
    },
  };
}

function isInNetworks(address: string, networks: readonly string[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  // An IPv4 address comes as ::ffff:… on a socket that listens on both.
  const parsed = ipaddr.process(address);
  return networks.some((network) => {
    const [base, bits] = ipaddr.parseCIDR(network);
    return base.kind() === parsed.kind() && parsed.match(base, bits);
  });
}

/** Hashes are as long as each other, and comparing them takes as long whatever was sent. */
function equals(given: readonly string[], secret: string): boolean {
  const [first = ''] = given;
  const isEqual = timingSafeEqual(secretHash(first), secretHash(secret));
  return isEqual && given.length === 1;
}

function onlyValue(request: ProxyRequest, header: string): string | undefined {
  const values = valuesOf(request, header);
  if (values.length > 1) throw new ProxyFault(`${header} is there more than once`);
  const value = values[0]?.trim();
  if (value !== undefined && value.length > valueLengthMax) throw new ProxyFault(`${header} is too long`);
  return value || undefined;
}

function valuesOf({ headers }: ProxyRequest, header: string): string[] {
  return headers.filter(({ name }) => name.toLowerCase() === header).map(({ value }) => value);
}
