import type { metadataRequests, ParameterDefinition, RequestOf } from '#libs/contracts';
import { isId } from '#libs/kernel';
import { changedCacheTtl, checkCacheTtl } from '../input/cache-ttl.js';
import { Issues } from '../input/issues.js';
import { checkTags } from '../input/tags.js';
import { checkCleared, checkDescription, checkName } from '../input/text.js';
import { checkParameters, checkTemplate } from './parameters.input.js';

const sqlBytesMax = 100 * 1_024;

export interface NewSavedQuery {
  readonly name: string;
  readonly description: string | null;
  readonly dataSourceId: string;
  readonly sql: string;
  readonly parameters: ParameterDefinition[];
  readonly tags: string[];
  readonly cacheTtlSeconds: number | null;
  readonly warmUp: boolean;
}

/** What an update changes; what is undefined stays. */
export type SavedQueryChange = {
  readonly [Field in keyof Omit<NewSavedQuery, 'dataSourceId'>]: NewSavedQuery[Field] | undefined;
};

/** @throws AppError with every fault of the input */
export function parseNewSavedQuery(input: RequestOf<typeof metadataRequests.createSavedQuery>): NewSavedQuery {
  const issues = new Issues();
  const name = checkName(input.name, issues);
  const description = checkDescription(input.description, issues);
  const tags = checkTags(input.tags, issues);
  const cacheTtlSeconds = checkCacheTtl(input.cacheTtlSeconds, issues);
  checkSql(input.sql, issues);
  checkParameters(input.parameters, issues);
  if (!isId('dataSource', input.dataSourceId)) {
    issues.add(['dataSourceId'], 'There is no such data source.', 'source.not_found');
  }
  issues.throwIfAny();
  const { dataSourceId, sql, parameters, warmUp = false } = input;
  return { name, description, dataSourceId, sql, parameters, tags, cacheTtlSeconds, warmUp };
}

/** @throws AppError with every fault of the input */
export function parseSavedQueryChange(input: RequestOf<typeof metadataRequests.updateSavedQuery>): SavedQueryChange {
  const issues = new Issues();
  const { cleared } = input;
  checkCleared(cleared, ['description', 'parameters', 'tags', 'cacheTtlSeconds'], issues);
  const name = input.name === undefined ? undefined : checkName(input.name, issues);
  const description =
    input.description === undefined && !cleared.includes('description')
      ? undefined
      : checkDescription(input.description, issues);
  const tags =
    input.tags === undefined && !cleared.includes('tags') ? undefined : checkTags(input.tags?.values ?? [], issues);
  const cacheTtlSeconds = changedCacheTtl(input, issues);
  if (input.sql !== undefined) checkSql(input.sql, issues);
  const parameters =
    input.parameters === undefined && !cleared.includes('parameters') ? undefined : (input.parameters?.values ?? []);
  if (parameters) checkParameters(parameters, issues);
  issues.throwIfAny();
  return { name, description, sql: input.sql, parameters, tags, cacheTtlSeconds, warmUp: input.warmUp };
}

/** The text itself is kept as it was written, once it can be read as a template: whether it may run is decided when it runs, against what it then finds. */
function checkSql(sql: string, issues: Issues): void {
  if (Buffer.byteLength(sql) > sqlBytesMax) {
    issues.add(['sql'], `sql must be at most ${sqlBytesMax} bytes.`, 'input.too_large');
  } else if (sql.trim() === '') issues.add(['sql'], 'sql must not be empty.');
  else if (sql.includes('\0')) issues.add(['sql'], 'sql must not have a zero byte.');
  else checkTemplate(sql, issues);
}
