import type { Redis } from 'ioredis';

const keysMax = 2_000;
const countAtOnce = 200;

interface KeyFamily {
  /** A key with all that names one thing left out, such as `sluice:{ws:*}:rev`. */
  readonly name: string;
  readonly keys: number;
  readonly bytes: number;
}

interface KeySample {
  /** How many keys were looked at, of how many. */
  readonly looked: number;
  readonly total: number;
  /** Largest first, as far as the sample tells; whole numbers of the server are estimated from it. */
  readonly families: readonly KeyFamily[];
  readonly large: readonly { readonly key: string; readonly bytes: number }[];
}

/** Looks at some keys by SCAN, which holds up nobody, and at how much memory each takes. */
export async function sampleKeys(client: Redis, keyBytesMax: number): Promise<KeySample> {
  const total = await client.dbsize();
  const families = new Map<string, KeyFamily>();
  const large: { key: string; bytes: number }[] = [];
  let looked = 0;
  for (let cursor = '0', isFirst = true; (isFirst || cursor !== '0') && looked < keysMax; isFirst = false) {
    const [next, keys] = await client.scan(cursor, 'COUNT', countAtOnce);
    const sizes = await Promise.all(keys.map((key) => client.memory('USAGE', key)));
    keys.forEach((key, index) => {
      // Null where it was deleted meanwhile.
      const bytes = Number(sizes[index] ?? 0);
      const name = familyOf(key);
      const known = families.get(name) ?? { name, keys: 0, bytes: 0 };
      families.set(name, { name, keys: known.keys + 1, bytes: known.bytes + bytes });
      if (bytes > keyBytesMax) large.push({ key: name, bytes });
    });
    looked += keys.length;
    cursor = next;
  }
  const share = looked === 0 ? 1 : Math.max(1, total / looked);
  return {
    looked,
    total,
    families: [...families.values()]
      .map(({ name, keys, bytes }) => ({ name, keys: Math.round(keys * share), bytes: Math.round(bytes * share) }))
      .toSorted((one, other) => other.bytes - one.bytes),
    large: large.toSorted((one, other) => other.bytes - one.bytes),
  };
}

const familyPatterns: readonly (readonly [RegExp, string])[] = [
  // Ids of ours, and whatever a bucket or an inbox is named after.
  [/\{(ws|rate|r):[^}]*\}/, '{$1:*}'],
  [/[a-z]{2,4}_[0-9A-Za-z]{16,}(-\d+)?/g, '*'],
  [/[0-9a-f]{16,}/g, '*'],
  [/\d{2,}/g, '*'],
];

export function familyOf(key: string): string {
  return familyPatterns.reduce((name, [pattern, by]) => name.replace(pattern, by), key).slice(0, 100);
}
