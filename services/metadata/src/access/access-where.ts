import { accessCondition, type ReachedAssets } from '#libs/database';

/** A statement under construction, as far as it matters here. */
interface Narrowed {
  setParameter(name: string, value: string[]): unknown;
  andWhere(condition: string): unknown;
}

/** Narrows a list to what its reader reaches. */
export function accessWhere(
  query: Narrowed,
  reached: ReachedAssets,
  columns: Parameters<typeof accessCondition>[1],
): void {
  let count = 0;
  const condition = accessCondition(reached, columns, (ids) => {
    const name = `reached${(count += 1)}`;
    query.setParameter(name, [...ids]);
    return `:${name}`;
  });
  query.andWhere(condition);
}
