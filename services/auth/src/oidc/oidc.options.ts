import { z } from 'zod';

/** An issuer is compared with what tokens say letter by letter, and is asked over TLS, but in networks that are named. */
const issuer = z
  .url({ protocol: /^https?$/, error: 'The issuer is an address such as https://login.example.com.' })
  .refine((text) => !/[?#]/.test(text) && new URL(text).username === '', 'An issuer has no query, fragment or user.');

export const oidcOptions = z
  .strictObject({
    issuer,
    clientId: z.string().min(1).max(500),
    clientSecret: z.string().min(1).max(2_000).optional(),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]{1,100}$/))
      .max(50)
      .default(['openid', 'email', 'profile']),
    /** Take every address of this provider for verified: for providers that have no `email_verified`. */
    trustEmail: z.boolean().default(false),
    /** Whether claims are asked for at the userinfo endpoint, too. */
    userinfo: z.boolean().default(true),
    clockSkewSeconds: z.number().int().min(0).max(300).default(30),
  })
  .readonly();

export type OidcOptions = z.infer<typeof oidcOptions>;
