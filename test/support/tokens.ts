import { decodeJwt, decodeProtectedHeader, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import type { ApiClient } from './api-client.js';
import type { RunningMesh } from './running-mesh.js';

/** The caller's own token, signed by the installation's own key, but an hour old. */
export async function expiredToken(mesh: RunningMesh, client: ApiClient): Promise<string> {
  // Written by StateDirectory as a JSON Web Key Set.
  const { keys } = JSON.parse(mesh.access.secrets.signingKeys) as { keys: JWK[] };
  const [jwk] = keys;
  if (!jwk) throw new Error('there is no signing key');
  const hourAgo = Math.floor(Date.now() / 1_000) - 3_600;
  return `Bearer ${await resign(client, await importJWK(jwk, 'EdDSA'), { iat: hourAgo - 300, exp: hourAgo })}`;
}

/** The caller's own token, still in its time, but signed by a key that nobody has published. */
export async function tokenOfAnotherKey(client: ApiClient): Promise<string> {
  const { privateKey } = await generateKeyPair('EdDSA');
  return `Bearer ${await resign(client, privateKey, {})}`;
}

async function resign(
  client: ApiClient,
  key: Parameters<SignJWT['sign']>[0],
  changes: Record<string, number>,
): Promise<string> {
  const token = client.authorization?.replace(/^Bearer /, '') ?? '';
  const { kid, typ } = decodeProtectedHeader(token);
  return new SignJWT({ ...decodeJwt(token), ...changes })
    .setProtectedHeader({ alg: 'EdDSA', ...(kid === undefined ? {} : { kid }), ...(typ === undefined ? {} : { typ }) })
    .sign(key);
}
