import { Ajv, type ValidateFunction } from 'ajv';
import { AppError, type Issue, type JsonObject } from '#libs/kernel';
import { completePostgresOptions, type PostgresSourceOptions } from './postgres.js';
import type { DuckdbSourceOptions } from './duckdb.js';
import { isOwnFault, issueOf } from './option-issues.js';
import { findSourceType, sourceTypes } from './source-types.js';
import type { SourceType } from './source-type.js';

/** The options of each type, secrets included, defaults filled in. */
export interface SourceOptionsByType {
  postgres: PostgresSourceOptions;
  duckdb: DuckdbSourceOptions;
}

const optionsBytesMax = 131_072;
const issuesMax = 20;

/** Every fault of a source's options, secrets among them, each at its place under `options`; at most 20. */
export function checkSourceOptions(type: SourceType, options: JsonObject): readonly Issue[] {
  if (Buffer.byteLength(JSON.stringify(options)) > optionsBytesMax) {
    return [
      { code: 'input.too_large', path: ['options'], message: `options must be at most ${optionsBytesMax} bytes.` },
    ];
  }
  const validate = validatorOf(type);
  // Defaults are filled into a copy, as what is kept is what was given.
  if (validate(structuredClone(options))) return [];
  return onePerPlace((validate.errors ?? []).filter(isOwnFault).map(issueOf)).slice(0, issuesMax);
}

// A value that breaks two rules has one thing to mend.
function onePerPlace(issues: readonly Issue[]): Issue[] {
  const byPlace = new Map<string, Issue>();
  for (const issue of issues) {
    const place = JSON.stringify(issue.path);
    if (!byPlace.has(place)) byPlace.set(place, issue);
  }
  return [...byPlace.values()];
}

/**
 * The options of a source, typed and complete.
 * @throws AppError `input.invalid` with every fault
 */
export function parseSourceOptions<Name extends keyof SourceOptionsByType>(
  name: Name,
  options: JsonObject,
): SourceOptionsByType[Name] {
  const type = findSourceType(name);
  if (!type) throw new Error(`${name} is not a type of data source`);
  const [first, ...others] = checkSourceOptions(type, options);
  if (first) throw AppError.ofIssues([first, ...others]);
  const complete = structuredClone(options);
  validatorOf(type)(complete);
  // The type's schema has just said that these are its options.
  return completions[name](complete as never);
}

const completions: {
  [Name in keyof SourceOptionsByType]: (options: SourceOptionsByType[Name]) => SourceOptionsByType[Name];
} = { postgres: completePostgresOptions, duckdb: (options) => options };

// A choice requires members that its parent declares; strictRequired would want them declared twice.
const ajv = new Ajv({
  allErrors: true,
  strict: true,
  strictRequired: false,
  verbose: true,
  useDefaults: true,
  ownProperties: true,
});
const validators = new Map<string, ValidateFunction>(
  sourceTypes.map((type) => [type.name, ajv.compile(type.optionsSchema)]),
);

function validatorOf(type: SourceType): ValidateFunction {
  const validate = validators.get(type.name);
  if (!validate) throw new Error(`${type.name} is not a type of data source`);
  return validate;
}
