// Checks access tokens as the gateway does, in one process: one that is known, and another each time; beside them SHA-256 of
// the token, and jose alone. The keys and revocations are at hand, as they are in a gateway that runs; what it asks for is
// counted. Writes {known, hashed, fresh, bare, asked}, lists of milliseconds and a number. Argument: how many of each.
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import {
  accessTokenForm,
  permissionsOfRoles,
  RevocationView,
  SigningKeySet,
  toClaims,
  TokenVerifier,
} from '../../dist/libs/identity/src/index.js';
import { SystemClock } from '../../dist/libs/kernel/src/index.js';
import { AppLogger } from '../../dist/libs/telemetry/src/index.js';
import { AuthenticatorService } from '../../dist/services/gateway/src/identity/authenticator.service.js';

const count = Number(process.argv[2]);
const revoked = 10_000;
const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
const keys = [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'EdDSA', use: 'sig' }];
const notBefore = new Date();
const revocations = Array.from({ length: revoked }, (_, n) => ({
  subject: 'SESSION',
  subjectId: `ses_${n}`,
  notBefore,
}));

let asked = 0;
const authority = {
  signingKeys: () => ((asked += 1), Promise.resolve(JSON.stringify({ keys }))),
  revocations: () => ((asked += 1), Promise.resolve({ revision: 1, revocations, now: new Date() })),
};
const clock = new SystemClock();
const logger = AppLogger.create({ service: 'bench', instance: 'b1', level: 'silent' });
const view = new RevocationView(authority, clock, logger);
const gateway = new AuthenticatorService(new TokenVerifier(new SigningKeySet(authority, clock), view, clock));

function newToken(number) {
  const issuedAt = new Date(Math.floor(Date.now() / 1_000) * 1_000);
  const principal = {
    ...{ userId: `usr_${number}`, workspaceId: 'wsp_1', sessionId: `ses_of_${number}` },
    ...{ permissions: permissionsOfRoles(['analyst']), groups: ['west', 'pilots'], issuedAt },
    expiresAt: new Date(issuedAt.getTime() + 300_000),
  };
  return new SignJWT({ ...toClaims(principal) })
    .setProtectedHeader({ alg: accessTokenForm.algorithm, typ: accessTokenForm.type, kid: 'k1' })
    .setIssuer(accessTokenForm.issuer)
    .setAudience(accessTokenForm.audience)
    .sign(privateKey);
}

async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

const check = (token) => gateway.authenticate(`Bearer ${token}`, 'req_1', '192.0.2.7');
const bare = (token) => jwtVerify(token, publicKey, { algorithms: [accessTokenForm.algorithm] });
for (let n = 0; n < 200; n += 1) {
  const token = await newToken(`warm_${n}`);
  await bare(token);
  await check(token);
}
const known = await newToken('known');
await check(known);
const before = asked;
const times = { known: [], hashed: [], fresh: [], bare: [] };
for (let n = 0; n < count; n += 1) {
  const token = await newToken(n);
  times.bare.push(await timed(() => bare(token)));
  times.fresh.push(await timed(() => check(token)));
  times.hashed.push(await timed(() => createHash('sha256').update(known).digest()));
  times.known.push(await timed(() => check(known)));
}
process.stdout.write(JSON.stringify({ ...times, asked: asked - before }));
