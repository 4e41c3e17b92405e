import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { InjectConfig } from '#libs/config';
import { AppError } from '#libs/kernel';
import type { GatewayConfig } from '../gateway.config.js';
import { downloadFormats, type DownloadChoice } from './download-choice.js';

/** What an address carries: the choice, the caller's own proof, and until when it is good. */
export interface DownloadGrant extends DownloadChoice {
  readonly accessToken: string;
  readonly expiresAtMs: number;
}

const cipher = 'aes-256-gcm';
const ivBytes = 12;
const macBytes = 16;
/** Longer addresses do not get through every proxy. */
const lengthMax = 12_000;

const grantSchema = z.tuple([
  z.string(),
  z.enum(downloadFormats),
  z.array(z.number().int().nonnegative()).nullable(),
  z.boolean(),
  z.number(),
  z.string(),
]);

/**
 * Signs addresses and opens them again, on any gateway with the same keys. The signature is an authenticated encryption:
 * it holds the caller's access token, so that an address can do nothing that its maker could not, and nobody who has
 * the address can read the token out of it.
 */
@Injectable()
export class DownloadAddresses {
  private readonly keys: readonly [KeyObject, ...KeyObject[]];

  constructor(@InjectConfig() { cursorKeys }: Pick<GatewayConfig, 'cursorKeys'>) {
    this.keys = cursorKeys.derived('downloads');
  }

  sign(grant: DownloadGrant): string {
    const { executionId, format, columns, escapesFormulas, expiresAtMs, accessToken } = grant;
    const text = JSON.stringify([executionId, format, columns, escapesFormulas, expiresAtMs, accessToken]);
    const iv = randomBytes(ivBytes);
    const sealing = createCipheriv(cipher, this.keys[0], iv);
    const sealed = Buffer.concat([iv, sealing.update(text, 'utf8'), sealing.final(), sealing.getAuthTag()]);
    const signature = sealed.toString('base64url');
    if (signature.length > lengthMax) throw new AppError('input.too_large', 'The address would be too long.');
    return signature;
  }

  /** @throws AppError download.address_invalid for what sign did not make, and for what is no longer good */
  open(signature: string, nowMs: number): DownloadGrant {
    const grant = signature.length > lengthMax ? undefined : this.unseal(signature);
    if (!grant || grant.expiresAtMs <= nowMs) throw addressInvalid();
    return grant;
  }

  private unseal(signature: string): DownloadGrant | undefined {
    const sealed = Buffer.from(signature, 'base64url');
    // Decoding passes over what is no base64url; there is one way only to write an address.
    if (sealed.length <= ivBytes + macBytes || sealed.toString('base64url') !== signature) return undefined;
    for (const key of this.keys) {
      const text = decrypt(key, sealed);
      if (text !== undefined) return toGrant(text);
    }
    return undefined;
  }
}

export function addressInvalid(cause?: unknown): AppError {
  return new AppError('download.address_invalid', 'This address is not good, or no longer. Ask for a new one.', {
    cause,
  });
}

function decrypt(key: KeyObject, sealed: Buffer): string | undefined {
  try {
    const opening = createDecipheriv(cipher, key, sealed.subarray(0, ivBytes), { authTagLength: macBytes });
    opening.setAuthTag(sealed.subarray(sealed.length - macBytes));
    const text = opening.update(sealed.subarray(ivBytes, sealed.length - macBytes));
    return Buffer.concat([text, opening.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

function toGrant(text: string): DownloadGrant | undefined {
  // What is authentic is ours, but it may come from a release with another shape.
  const parsed = grantSchema.safeParse(JSON.parse(text));
  if (!parsed.success) return undefined;
  const [executionId, format, columns, escapesFormulas, expiresAtMs, accessToken] = parsed.data;
  return { executionId, format, columns, escapesFormulas, expiresAtMs, accessToken };
}
