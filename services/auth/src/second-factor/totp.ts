import { Secret, TOTP } from 'otpauth';

// What every authenticator app does, whatever else the URI says.
const form = { algorithm: 'SHA1', digits: 6, period: 30 } as const;
const secretBytes = 20;
/** Steps before and after the present one whose codes are taken too: clocks of telephones differ. */
const window = 1;

export const issuer = 'Sluice';

/** A new secret, in base 32. */
export function newTotpSecret(): string {
  return new Secret({ size: secretBytes }).base32;
}

/** What a QR code of the secret says. */
export function totpUri(secret: string, label: string): string {
  return new TOTP({ ...form, issuer, label, secret: Secret.fromBase32(secret) }).toString();
}

/** The step that a code is of; undefined where it is of none that counts now. */
export function stepOfCode(secret: string, code: string, nowMs: number): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  const totp = new TOTP({ ...form, secret: Secret.fromBase32(secret) });
  const delta = totp.validate({ token: code, timestamp: nowMs, window });
  return delta === null ? undefined : Math.floor(nowMs / 1_000 / form.period) + delta;
}
