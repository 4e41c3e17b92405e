import type { SavedQuery } from '#libs/contracts';
import type { SavedQueryEntity } from './saved-query.entity.js';

export function toSavedQuery(row: SavedQueryEntity): SavedQuery {
  const { id, name, description, dataSourceId, sql, tags, version, createdAt, updatedAt } = row;
  return {
    ...{ id, name, dataSourceId, sql, tags, version, createdAt, updatedAt },
    ...(description === null ? {} : { description }),
  };
}
