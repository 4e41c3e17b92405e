import { isDeepStrictEqual } from 'node:util';
import type { metadataRequests, RequestOf } from '#libs/contracts';
import type { JsonObject, JsonValue } from '#libs/kernel';
import { checkSourceOptions, findSourceType, secretNamesOf, sourceTypes, type SourceType } from '#libs/source-types';
import { changedCacheTtl, checkCacheTtl } from '../input/cache-ttl.js';
import { Issues } from '../input/issues.js';
import { changedTimeout, checkTimeout } from '../input/timeout.js';
import { checkCleared, checkName } from '../input/text.js';
import type { DataSourceEntity } from './data-source.entity.js';

export const maxConcurrentExecutionsDefault = 4;
const maxConcurrentExecutionsMax = 1_000;

/** Options apart from their secrets. */
export interface SplitOptions {
  readonly options: JsonObject;
  readonly secrets: JsonObject;
}

export interface NewDataSource extends SplitOptions {
  readonly name: string;
  readonly type: string;
  readonly maxConcurrentExecutions: number;
  readonly cacheTtlSeconds: number | null;
  readonly timeoutSeconds: number | null;
}

/** What an update changes; what is undefined stays. */
export interface DataSourceChange {
  readonly name: string | undefined;
  /** As given: null removes a member. */
  readonly options: JsonObject | undefined;
  /** True where some type of source has a secret of the name of one of the options. */
  readonly touchesSecrets: boolean;
  readonly maxConcurrentExecutions: number | undefined;
  readonly paused: boolean | undefined;
  /** Null: not said any more. */
  readonly cacheTtlSeconds: number | null | undefined;
  readonly timeoutSeconds: number | null | undefined;
}

/** Options and secrets after a change. `secrets` holds only what was given, `keptSecrets` names those that stay. */
export interface ChangedOptions extends SplitOptions {
  readonly keptSecrets: readonly string[];
}

/** @throws AppError with every fault of the input */
export function parseNewDataSource(input: RequestOf<typeof metadataRequests.createDataSource>): NewDataSource {
  const issues = new Issues();
  const name = checkName(input.name, issues);
  const maxConcurrentExecutions = input.maxConcurrentExecutions ?? maxConcurrentExecutionsDefault;
  checkLimit(maxConcurrentExecutions, issues);
  const cacheTtlSeconds = checkCacheTtl(input.cacheTtlSeconds, issues);
  const timeoutSeconds = checkTimeout(input.timeoutSeconds, issues);
  const type = findSourceType(input.type);
  // A null stands for a member that is absent.
  const given = withoutNulls(input.options ?? {});
  if (type) issues.addAll(checkSourceOptions(type, given));
  else issues.add(['type'], `type must be one of ${sourceTypes.map((each) => each.name).join(', ')}.`);
  issues.throwIfAny();
  const secretNames = type ? secretNamesOf(type) : [];
  return {
    name,
    type: input.type,
    maxConcurrentExecutions,
    cacheTtlSeconds,
    timeoutSeconds,
    options: pick(given, (member) => !secretNames.includes(member)),
    secrets: pick(given, (member) => secretNames.includes(member)),
  };
}

/** @throws AppError with every fault that shows without the source itself */
export function parseDataSourceChange(input: RequestOf<typeof metadataRequests.updateDataSource>): DataSourceChange {
  const issues = new Issues();
  checkCleared(input.cleared, ['maxConcurrentExecutions', 'paused', 'cacheTtlSeconds', 'timeoutSeconds'], issues);
  const name = input.name === undefined ? undefined : checkName(input.name, issues);
  const maxConcurrentExecutions = input.cleared.includes('maxConcurrentExecutions')
    ? maxConcurrentExecutionsDefault
    : input.maxConcurrentExecutions;
  if (maxConcurrentExecutions !== undefined) checkLimit(maxConcurrentExecutions, issues);
  const cacheTtlSeconds = changedCacheTtl(input, issues);
  const timeoutSeconds = changedTimeout(input, issues);
  issues.throwIfAny();
  const { options } = input;
  return {
    name,
    options,
    touchesSecrets: sourceTypes.flatMap(secretNamesOf).some((secret) => Object.hasOwn(options ?? {}, secret)),
    maxConcurrentExecutions,
    cacheTtlSeconds,
    timeoutSeconds,
    paused: input.cleared.includes('paused') ? false : input.paused,
  };
}

/**
 * A source's options with a change laid over them: given members replace the old ones, null removes one, secrets that are
 * absent stay. Secrets that stay are not opened for this; they were checked when they came. They stay at their
 * destination, too: a server of the changer's choice could ask the worker for them.
 * @throws AppError with every fault of the result
 */
export function changeOptions(
  type: SourceType,
  current: Pick<DataSourceEntity, 'options' | 'secretNames'>,
  change: JsonObject,
): ChangedOptions {
  const secretNames = secretNamesOf(type);
  const given = withoutNulls(change);
  const secrets = pick(given, (member) => secretNames.includes(member));
  const keptSecrets = current.secretNames.filter((member) => !Object.hasOwn(change, member));
  const kept = pick(current.options, (member) => !Object.hasOwn(change, member));
  const options = { ...kept, ...pick(given, (member) => !secretNames.includes(member)) };
  const issues = new Issues();
  const found = checkSourceOptions(type, { ...options, ...secrets });
  issues.addAll(
    found.filter(({ path: [, member, ...rest] }) => rest.length > 0 || !keptSecrets.includes(member ?? '')),
  );
  issues.throwIfAny();
  const moved = type.destination.find((member) => !isDeepStrictEqual(current.options[member], options[member]));
  if (moved !== undefined) {
    for (const secret of keptSecrets) {
      issues.add(['options', secret], `${secret} must be given again (or removed by null), because ${moved} changes.`);
    }
  }
  issues.throwIfAny();
  return { options, secrets, keptSecrets };
}

function checkLimit(value: number, issues: Issues): void {
  if (!Number.isInteger(value) || value < 1 || value > maxConcurrentExecutionsMax) {
    issues.add(['maxConcurrentExecutions'], `maxConcurrentExecutions must be from 1 to ${maxConcurrentExecutionsMax}.`);
  }
}

function withoutNulls(options: JsonObject): JsonObject {
  return pick(options, (_member, value) => value !== null);
}

function pick(options: JsonObject, isWanted: (member: string, value: JsonValue) => boolean): JsonObject {
  return Object.fromEntries(Object.entries(options).filter(([member, value]) => isWanted(member, value)));
}
