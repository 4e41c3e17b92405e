import { z } from 'zod';
import type { JsonObject } from '#libs/kernel';
import { isPermission } from './permissions.js';
import type { Guest, Principal } from './principal.js';

/**
 * The form of an access token: a JWT (RFC 9068) of EdDSA. Issuer and audience are fixed names, as an installation is told
 * from another one by its keys.
 */
export const accessTokenForm = {
  algorithm: 'EdDSA',
  type: 'at+jwt',
  issuer: 'sluice/auth',
  audience: 'sluice',
  /** No token may live longer: so long are revocations kept. */
  lifetimeMaxSeconds: 3_600,
  bytesMax: 8_192,
} as const;

// iat and exp have milliseconds: a revocation is compared with iat, and a second would be too coarse for that.
const claimsSchema = z.object({
  sub: z.string().min(1),
  wsp: z.string().min(1),
  sid: z.string().min(1).optional(),
  key: z.string().min(1).optional(),
  scope: z.string(),
  groups: z.array(z.string()),
  src: z.array(z.string()).optional(),
  qry: z.array(z.string()).optional(),
  net: z.array(z.string()).optional(),
  gst: z
    .object({
      by: z.string().min(1),
      par: z.record(z.string(), z.json()),
      att: z.record(z.string(), z.json()),
      tz: z.string().optional(),
      loc: z.string().optional(),
    })
    .optional(),
  iat: z.number().positive(),
  exp: z.number().positive(),
});

export type AccessTokenClaims = z.infer<typeof claimsSchema>;

export function toClaims(principal: Principal): AccessTokenClaims {
  const { userId, workspaceId, sessionId, apiKeyId, permissions, groups, issuedAt, expiresAt } = principal;
  const { reach, networks, guest } = principal;
  return {
    sub: userId,
    wsp: workspaceId,
    ...(sessionId === undefined ? {} : { sid: sessionId }),
    ...(apiKeyId === undefined ? {} : { key: apiKeyId }),
    scope: [...permissions].join(' '),
    groups: [...groups],
    // Both or none: a missing list must not mean everything.
    ...(reach ? { src: [...reach.dataSourceIds], qry: [...reach.savedQueryIds] } : {}),
    ...(networks ? { net: [...networks] } : {}),
    ...(guest ? { gst: toGuestClaims(guest) } : {}),
    iat: issuedAt.getTime() / 1_000,
    exp: expiresAt.getTime() / 1_000,
  };
}

/** The principal that verified claims name, or undefined where they are not ours. A permission of a newer release is left out. */
export function toPrincipal(payload: unknown): Principal | undefined {
  const parsed = claimsSchema.safeParse(payload);
  if (!parsed.success) return undefined;
  const { sub, wsp, sid, key, scope, groups, src, qry, net, gst, iat, exp } = parsed.data;
  return {
    userId: sub,
    workspaceId: wsp,
    ...(sid === undefined ? {} : { sessionId: sid }),
    ...(key === undefined ? {} : { apiKeyId: key }),
    permissions: new Set(scope.split(' ').filter(isPermission)),
    groups,
    ...(src === undefined && qry === undefined
      ? {}
      : { reach: { dataSourceIds: src ?? [], savedQueryIds: qry ?? [] } }),
    ...(net === undefined ? {} : { networks: net }),
    ...(gst === undefined ? {} : { guest: toGuest(gst) }),
    issuedAt: new Date(Math.round(iat * 1_000)),
    expiresAt: new Date(Math.round(exp * 1_000)),
  };
}

function toGuestClaims({ mintedById, parameters, attributes, timeZone, locale }: Guest) {
  return {
    ...{ by: mintedById, par: parameters, att: attributes },
    ...(timeZone === undefined ? {} : { tz: timeZone }),
    ...(locale === undefined ? {} : { loc: locale }),
  };
}

function toGuest({ by, par, att, tz, loc }: NonNullable<AccessTokenClaims['gst']>): Guest {
  // JSON of our own making, as it has been signed.
  const [parameters, attributes] = [par as JsonObject, att as JsonObject];
  return { mintedById: by, parameters, attributes, timeZone: tz, locale: loc };
}
