import { AppError, type Issue, type JsonObject, type JsonValue } from '#libs/kernel';
import { shown } from '../sql-text.js';
import { keyOfValues, toJson, type BoundValue, type ParameterValue } from './bound-value.js';
import { isTimeZone, type TimeContext } from './civil-time.js';
import { parameterTypes, type ParameterDefinition } from './parameter-definition.js';
import { expectedOf, issueOf, readParameter, scalarsOf } from './read-parameter.js';
import { parseScalar, scalarOfJson } from './scalar-types.js';

export interface ParametersInput extends TimeContext {
  readonly definitions: readonly ParameterDefinition[];
  /** As the caller sent them. */
  readonly given: JsonObject;
  /** The names that the template reads; what is given beyond these and the declared ones is refused as a slip. */
  readonly names: ReadonlySet<string>;
  /** By the name of each parameter that has an optionsQueryId: what its query answers now. Without it nothing is allowed. */
  readonly queryOptions?: ReadonlyMap<string, readonly JsonValue[]> | undefined;
}

export interface ResolvedParameter {
  readonly value: ParameterValue;
  /** The value is one of the options in the definition, so that it may name an identifier. */
  readonly isFromOptions: boolean;
}

export interface ResolvedParameters {
  readonly values: ReadonlyMap<string, ResolvedParameter>;
  /** As `Execution.parameters` shows them: with defaults, and words such as `last 7 days` as what they came to. */
  readonly parameters: JsonObject;
}

/**
 * The values of a template's parameters, each of its declared type, or of its JSON type where none is declared.
 * @throws AppError parameter.missing, parameter.invalid: all faults at once, with paths that begin with the name;
 * input.invalid for an unknown time zone
 */
export function resolveParameters(input: ParametersInput): ResolvedParameters {
  const given = new Map(Object.entries(input.given));
  if (!isTimeZone(input.timeZone)) {
    throw new AppError(
      'input.invalid',
      `"${shown(input.timeZone)}" is no time zone; an IANA name such as Europe/Berlin is.`,
    );
  }
  const values = new Map<string, ResolvedParameter>();
  const issues: Issue[] = [];
  const take = (name: string, outcome: ResolvedParameter | { issue: Issue }): void => {
    if ('issue' in outcome) issues.push(outcome.issue);
    else values.set(name, outcome);
  };

  for (const definition of input.definitions) {
    take(definition.name, resolveDeclared(definition, given.get(definition.name), input));
    given.delete(definition.name);
  }
  const declared = new Set(input.definitions.map(({ name }) => name));
  for (const [name, json] of given) take(name, resolveUndeclared(name, json, input.names));
  for (const name of input.names) {
    if (!declared.has(name) && !given.has(name)) issues.push(missing(name, 'given, since it is not declared'));
  }

  const [first, ...others] = issues;
  if (first) throw AppError.ofIssues([first, ...others]);
  const parameters = Object.fromEntries([...values].map(([name, { value }]) => [name, toJson(value)]));
  return { values, parameters };
}

function resolveDeclared(
  definition: ParameterDefinition,
  given: JsonValue | undefined,
  input: ParametersInput,
): ResolvedParameter | { issue: Issue } {
  const read = readParameter(definition, given ?? definition.default ?? null, input);
  if ('issue' in read) return read;
  const isEmpty = read.value === undefined || (read.value.kind === 'list' && read.value.items.length === 0);
  if (isEmpty && definition.required) return { issue: missing(definition.name, expectedOf(definition)) };
  const value = read.value ?? absentValue(definition);
  const fault = isEmpty ? undefined : optionsFault(definition, value, input);
  return fault ? { issue: fault } : { value, isFromOptions: Array.isArray(definition.options) };
}

/** What an optional parameter is while it has no value: NULL of its type, or no values. */
function absentValue(definition: ParameterDefinition): ParameterValue {
  const { value: type, isRange } = parameterTypes[definition.type];
  const none: BoundValue = { type, value: null };
  if (isRange) return { kind: 'range', start: none, end: none };
  return definition.multiple ? { kind: 'list', items: [] } : { kind: 'scalar', value: none };
}

function optionsFault(
  definition: ParameterDefinition,
  value: ParameterValue,
  input: ParametersInput,
): Issue | undefined {
  const lists = [definition.options?.map((option) => option.value), queryOptionsOf(definition, input)];
  const { value: type } = parameterTypes[definition.type];
  for (const allowed of lists) {
    if (!allowed) continue;
    const keys = new Set(allowed.map((json) => keyOf(parseScalar(type, json, input))));
    const wrong = scalarsOf(value).find(({ scalar }) => !keys.has(keyOf(scalar)));
    if (wrong) return issueOf(definition.name, { path: wrong.path, expected: 'one of its options' });
  }
  return undefined;
}

function queryOptionsOf(definition: ParameterDefinition, input: ParametersInput): readonly JsonValue[] | undefined {
  if (definition.optionsQueryId === undefined || definition.optionsQueryId === null) return undefined;
  return input.queryOptions?.get(definition.name) ?? [];
}

function keyOf(scalar: BoundValue | undefined): string {
  return scalar === undefined ? '' : keyOfValues([scalar]);
}

function resolveUndeclared(
  name: string,
  json: JsonValue,
  names: ReadonlySet<string>,
): ResolvedParameter | { issue: Issue } {
  if (!names.has(name)) {
    const message = `There is no parameter "${shown(name)}".`;
    return { issue: { code: 'parameter.invalid', message, path: [name] } };
  }
  const value = valueOfJson(json);
  if (value) return { value, isFromOptions: false };
  const expected = 'a text, a number, true, false, a list of these or a range of two, unless it is declared';
  return { issue: issueOf(name, { path: [], expected }) };
}

function valueOfJson(json: JsonValue): ParameterValue | undefined {
  if (Array.isArray(json)) {
    const items = json.map((each) => (each === null ? undefined : scalarOfJson(each)));
    return items.every((item) => item !== undefined) && items.length <= 10_000 ? { kind: 'list', items } : undefined;
  }
  if (typeof json === 'object' && json !== null) {
    if (Object.keys(json).sort().join() !== 'end,start') return undefined;
    const [start, end] = [scalarOfJson(json['start'] ?? null), scalarOfJson(json['end'] ?? null)];
    return start && end ? { kind: 'range', start, end } : undefined;
  }
  const value = scalarOfJson(json);
  return value && { kind: 'scalar', value };
}

function missing(name: string, expected: string): Issue {
  const message = `Parameter "${shown(name)}" is missing; it must be ${expected}.`;
  return { code: 'parameter.missing', message, path: [name] };
}
