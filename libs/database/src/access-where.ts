import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { accessCondition, type ReachedAssets } from './access-condition.js';

/** Narrows a list to what its reader reaches. */
export function accessWhere<T extends ObjectLiteral>(
  query: SelectQueryBuilder<T>,
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
