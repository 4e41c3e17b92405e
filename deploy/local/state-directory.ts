import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What only this installation knows. Made at the first start, kept in a file that its owner alone can read. */
export interface LocalSecrets {
  masterKeys: string;
  signingKeys: string;
  cursorKeys: string;
  databasePassword: string;
  redisPassword: string;
  readerPassword: string;
  adminPassword: string;
}

/** The folder of one local installation, by default `.sluice/`. */
export class StateDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    // PostgreSQL may run under a user of its own and has to pass through, to a folder that is its own.
    chmodSync(path, 0o711);
    // Rows of results, tokens on the bus, logs: for nobody else on this machine.
    for (const folder of ['log', 'results', 'redis-broker', 'redis-cache']) {
      mkdirSync(join(path, folder), { recursive: true });
      chmodSync(join(path, folder), 0o700);
    }
  }

  file(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  secrets(): LocalSecrets {
    const file = this.file('secrets.json');
    // Written by this class alone; by an earlier release without what is newer.
    const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<LocalSecrets>) : {};
    const secrets: LocalSecrets = {
      masterKeys: `local:${randomBytes(32).toString('base64')}`,
      signingKeys: newSigningKeys(),
      cursorKeys: `local:${randomBytes(32).toString('base64')}`,
      databasePassword: randomBytes(18).toString('base64url'),
      redisPassword: randomBytes(18).toString('base64url'),
      readerPassword: randomBytes(18).toString('base64url'),
      adminPassword: randomBytes(12).toString('base64url'),
      ...known,
    };
    this.writePrivate('secrets.json', secrets);
    return secrets;
  }

  /** Writes JSON that only the owner can read. */
  writePrivate(name: string, value: unknown): void {
    this.writePrivateText(name, `${JSON.stringify(value, null, 2)}\n`);
  }

  writePrivateText(name: string, text: string): void {
    const file = this.file(name);
    writeFileSync(file, text, { mode: 0o600 });
    chmodSync(file, 0o600);
  }
}

function newSigningKeys(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const kid = randomBytes(8).toString('hex');
  return JSON.stringify({ keys: [{ ...privateKey.export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' }] });
}
