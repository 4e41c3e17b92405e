import type { Issue, JsonValue } from '#libs/kernel';
import type { TimeContext } from './civil-time.js';
import { isParameterName, parameterTypes, type ParameterDefinition } from './parameter-definition.js';
import { readParameter } from './read-parameter.js';
import { compareScalars, parseScalar, scalarTypes } from './scalar-types.js';

/** More than a form has fields. */
const definitionsMax = 100;
const optionsMax = 10_000;

/** Whatever the time and the zone are, the same is right or wrong in a definition. */
const context: TimeContext = { nowMs: Date.UTC(2000, 0, 1), timeZone: 'UTC' };

/**
 * What is wrong in definitions, for their author; empty where nothing is. Paths begin with the index: `['0', 'default']`.
 * A default is not compared with the answer of an options query, which changes, nor with a bound in relative words.
 */
export function checkDefinitions(definitions: readonly ParameterDefinition[]): Issue[] {
  if (definitions.length > definitionsMax) return [issue([], `There may be at most ${definitionsMax} parameters.`)];
  const names = definitions.map(({ name }) => name);
  return definitions.flatMap((definition, index) => {
    const isTaken = names.indexOf(definition.name) < index;
    return [
      ...faultsOfName(definition.name, isTaken),
      ...faultsOfShape(definition),
      ...faultsOfBounds(definition),
      ...faultsOfValues(definition),
    ].map(({ message, path, code }) => ({ code, message, path: [String(index), ...path] }));
  });
}

function faultsOfName(name: string, isTaken: boolean): Issue[] {
  if (isTaken) return [issue(['name'], 'Another parameter has this name.')];
  if (isParameterName(name)) return [];
  const rule =
    'A name is a letter, then letters, digits and _, at most 64 in all; user, loop and words of conditions are taken.';
  return [issue(['name'], rule)];
}

function faultsOfShape({ type, multiple, options, optionsQueryId }: ParameterDefinition): Issue[] {
  const { isRange } = parameterTypes[type];
  const hasOptions = options !== undefined && options !== null;
  const hasQuery = optionsQueryId !== undefined && optionsQueryId !== null;
  const faults: Issue[] = [];
  if (isRange && multiple) faults.push(issue(['multiple'], 'A range cannot be multiple.'));
  if (isRange && hasOptions) faults.push(issue(['options'], 'A range cannot have options.'));
  if (isRange && hasQuery) faults.push(issue(['optionsQueryId'], 'A range cannot have options.'));
  if (hasOptions && hasQuery)
    faults.push(issue(['optionsQueryId'], 'Options are listed or come from a query, not both.'));
  if (hasOptions && (options.length === 0 || options.length > optionsMax)) {
    faults.push(issue(['options'], `There must be between 1 and ${optionsMax} options.`));
  }
  return faults;
}

function faultsOfBounds({ type, minimum, maximum }: ParameterDefinition): Issue[] {
  const { value, isBounded } = parameterTypes[type];
  const faults: Issue[] = [];
  const read = (name: string, bound: JsonValue | undefined) => {
    if (bound === undefined || bound === null) return undefined;
    const limit = isBounded ? parseScalar(value, bound, context) : undefined;
    if (!isBounded) faults.push(issue([name], `A parameter of type ${type} has no ${name}.`));
    else if (!limit) faults.push(issue([name], `It must be ${scalarTypes[value].description}.`));
    return limit;
  };
  const [least, most] = [read('minimum', minimum), read('maximum', maximum)];
  if (least && most && isAbsolute(minimum) && isAbsolute(maximum) && (compareScalars(least, most) ?? 0) > 0) {
    faults.push(issue(['maximum'], 'It must not be below the minimum.'));
  }
  return faults;
}

function faultsOfValues(definition: ParameterDefinition): Issue[] {
  const { type, options, minimum, maximum } = definition;
  if (parameterTypes[type].isRange && options) return [];
  const single = { ...definition, multiple: false };
  const faults = (options ?? []).flatMap(({ value }, index) => {
    const read = readParameter(single, value, context);
    if ('value' in read && read.value) return [];
    const expected = 'issue' in read ? read.issue.message : 'An option must have a value.';
    return [issue(['options', String(index), 'value'], expected)];
  });
  if (definition.default === undefined || definition.default === null || faults.length > 0) return faults;
  const bounds = isAbsolute(minimum) && isAbsolute(maximum) ? {} : { minimum: undefined, maximum: undefined };
  const read = readParameter({ ...definition, ...bounds }, definition.default, context);
  if ('issue' in read) return [issue(['default'], read.issue.message)];
  return isAmongOptions(definition) ? [] : [issue(['default'], 'It must be one of the options.')];
}

function isAmongOptions({ type, options, default: value }: ParameterDefinition): boolean {
  if (!options) return true;
  const key = (json: JsonValue) => parseScalar(parameterTypes[type].value, json, context)?.value;
  const allowed = new Set(options.map((option) => key(option.value)));
  return (Array.isArray(value) ? value : [value ?? null]).every((each) => allowed.has(key(each)));
}

/** Whether a bound stays where it is; `today` does not. */
function isAbsolute(bound: JsonValue | undefined): boolean {
  return typeof bound !== 'string' || /^[\d+-]/.test(bound);
}

function issue(path: readonly string[], message: string): Issue {
  return { code: 'input.invalid', message, path };
}
