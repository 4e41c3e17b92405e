import { randomFillSync } from 'node:crypto';

/** The prefix says what an id names, so that an id alone tells which service to ask. */
export const idPrefixes = {
  workspace: 'wsp',
  user: 'usr',
  group: 'grp',
  session: 'ses',
  apiKey: 'key',
  identityProvider: 'idp',
  dataSource: 'src',
  savedQuery: 'qry',
  rowPolicy: 'rpl',
  grant: 'grn',
  guest: 'gst',
  role: 'rol',
  serviceAccount: 'svc',
  execution: 'exe',
  run: 'run',
  result: 'res',
  request: 'req',
  message: 'msg',
  worker: 'wrk',
  webhook: 'whk',
  webhookDelivery: 'whd',
  auditEntry: 'aud',
  auditForwarder: 'afw',
} as const;

export type IdKind = keyof typeof idPrefixes;

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * A new id such as `run_06f2k…`: 48 bits of milliseconds, then 80 random bits, in Crockford's base 32. Ids made later
 * sort later, which keeps B-trees dense; they are unguessable enough not to be enumerated, but they are not secrets.
 */
export function newId(kind: IdKind, nowMs: number = Date.now()): string {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  const from = takeRandom(10);
  randomPool.copy(bytes, 6, from, from + 10);
  return `${idPrefixes[kind]}_${encode(bytes)}`;
}

// Asking the kernel for ten bytes costs more than making the id; it is asked for a few hundred ids at once.
const randomPool = Buffer.alloc(4_000);
let randomUsed = randomPool.length;

function takeRandom(count: number): number {
  if (randomUsed + count > randomPool.length) {
    randomFillSync(randomPool);
    randomUsed = 0;
  }
  randomUsed += count;
  return randomUsed - count;
}

export function isId(kind: IdKind, value: string): boolean {
  return value.startsWith(`${idPrefixes[kind]}_`) && /^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$/.test(value);
}

/** The kind that an id's prefix names, or undefined where it is none of ours. */
export function idKindOf(value: string): IdKind | undefined {
  for (const kind of Object.keys(idPrefixes) as IdKind[]) if (isId(kind, value)) return kind;
  return undefined;
}

/** The id of another kind that belongs to the same thing, such as an execution's result. */
export function siblingId(kind: IdKind, id: string): string {
  return `${idPrefixes[kind]}${id.slice(3)}`;
}

function encode(bytes: Buffer): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(value >>> bits) & 31];
      value &= (1 << bits) - 1;
    }
  }
  return text + alphabet[(value << (5 - bits)) & 31];
}
