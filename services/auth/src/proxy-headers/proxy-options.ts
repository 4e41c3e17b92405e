import ipaddr from 'ipaddr.js';
import { z } from 'zod';

const headerName = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'Name a header.')
  .toLowerCase()
  .refine((name) => !['authorization', 'cookie', 'host'].includes(name), 'This header is for something else.');
const network = z.string().refine(isNetwork, 'Name a network, such as 10.0.0.0/8 or 192.0.2.7/32.');

/** How a proxy that has signed a user in tells who it is. */
export const proxyOptions = z.strictObject({
  /** The proxy's own addresses, as the other end of the connection; whatever X-Forwarded-For says does not count. */
  networks: z.array(network).min(1).max(50),
  secretHeader: headerName.default('x-sluice-proxy-secret'),
  /** Long enough not to be guessed. */
  secret: z.string().min(32, 'Take a secret of at least 32 characters.').max(1_000),
  subjectHeader: headerName.default('x-forwarded-user'),
  emailHeader: headerName.default('x-forwarded-email'),
  nameHeader: headerName.default('x-forwarded-preferred-username'),
  groupsHeader: headerName.default('x-forwarded-groups'),
});

export type ProxyOptions = z.infer<typeof proxyOptions>;

function isNetwork(text: string): boolean {
  if (!ipaddr.isValidCIDR(text)) return false;
  // A network of everybody is a mistake.
  return ipaddr.parseCIDR(text)[1] > 0;
}
