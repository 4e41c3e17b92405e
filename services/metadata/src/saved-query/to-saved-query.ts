import type { SavedQuery } from '#libs/contracts';
import type { WorkspaceAccess } from '#libs/identity';
import type { Caller } from '../caller.js';
import type { SavedQueryEntity } from './saved-query.entity.js';

/** The whole of it, for running. */
export function toSavedQuery(row: SavedQueryEntity): SavedQuery {
  const {
    id,
    name,
    description,
    dataSourceId,
    sql,
    parameters,
    tags,
    cacheTtlSeconds,
    warmUp,
    version,
    createdAt,
    updatedAt,
  } = row;
  return {
    ...{ id, name, dataSourceId, sql, parameters, tags, warmUp, version, createdAt, updatedAt },
    ...(description === null ? {} : { description }),
    ...(cacheTtlSeconds === null ? {} : { cacheTtlSeconds }),
  };
}

/**
 * A query as the caller sees it. Its text says what its source holds, so it is for those who may see that. What is fixed for a
 * guest it does not choose, and is not told what others might have been given.
 */
export function toShownQuery(row: SavedQueryEntity, caller: Caller, access: WorkspaceAccess): SavedQuery {
  const whole = toSavedQuery(row);
  const fixed = caller.guest?.parameters ?? {};
  const query = { ...whole, parameters: whole.parameters.filter(({ name }) => !Object.hasOwn(fixed, name)) };
  const isReadable = caller.permissions.has('data_source.read') && access.readsText(caller, row);
  return isReadable ? query : { ...query, sql: '' };
}
