import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** A key of the type aes256-gcm96 as Vault's transit engine has it: the newest version seals, all of them open. */
export class TransitKey {
  private readonly versions = [randomBytes(32)];

  rotate(): void {
    this.versions.push(randomBytes(32));
  }

  encrypt(plaintext: string, aad: Buffer): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.versions.at(-1) ?? '', nonce).setAAD(aad);
    const sealed = [nonce, cipher.update(plaintext, 'base64'), cipher.final(), cipher.getAuthTag()];
    return `vault:v${this.versions.length}:${Buffer.concat(sealed).toString('base64')}`;
  }

  /** Undefined: it does not open. */
  decrypt(ciphertext: string, aad: Buffer): string | undefined {
    const [, version, text = ''] = /^vault:v(\d+):(.+)$/.exec(ciphertext) ?? [];
    const key = this.versions[Number(version) - 1];
    if (!key) return undefined;
    const sealed = Buffer.from(text, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(aad);
    try {
      decipher.setAuthTag(sealed.subarray(-16));
      return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString('base64');
    } catch {
      return undefined;
    }
  }
}
