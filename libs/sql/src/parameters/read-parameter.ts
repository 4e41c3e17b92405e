import type { ErrorCode, Issue, JsonObject, JsonValue } from '#libs/kernel';
import { shown } from '../sql-text.js';
import type { BoundValue, ParameterValue, ValueType } from './bound-value.js';
import type { TimeContext } from './civil-time.js';
import { parameterTypes, type ParameterDefinition } from './parameter-definition.js';
import { relativeRange } from './relative-dates.js';
import { compareScalars, parseScalar, scalarTypes } from './scalar-types.js';

const itemsMax = 10_000;

/** Which part of a value is at fault, and what it would have to be. */
interface Fault {
  readonly path: readonly string[];
  readonly expected: string;
}

const examples: Readonly<Record<string, string>> = {
  date: 'a range of dates such as {"start": "2026-11-01", "end": "2026-11-30"}, or words such as "last 7 days"',
  datetime:
    'a range of times such as {"start": "2026-11-21T00:00:00Z", "end": "2026-11-22T00:00:00Z"}, or words such as "last 24 hours"',
};

/** "an integer", "a list of dates …": what a parameter must be, for people. */
export function expectedOf({ type, multiple }: ParameterDefinition): string {
  const { value, isRange } = parameterTypes[type];
  if (isRange) return examples[value] ?? value;
  const { description } = scalarTypes[value];
  return multiple ? `a list of at most ${itemsMax} values, each ${description}` : description;
}

/**
 * A given value, or a default, as the definition types it; everything but the allowed values is checked.
 * Undefined for null: there is no value. The issue's path begins with the parameter's name.
 */
export function readParameter(
  definition: ParameterDefinition,
  json: JsonValue,
  context: TimeContext,
): { value: ParameterValue | undefined } | { issue: Issue } {
  if (json === null) return { value: undefined };
  const value = readTyped(definition, json, context);
  const fault = 'expected' in value ? value : boundsFault(definition, value, context);
  if (fault) return { issue: issueOf(definition.name, fault) };
  return { value: value as ParameterValue };
}

export function issueOf(name: string, { path, expected }: Fault, code: ErrorCode = 'parameter.invalid'): Issue {
  const at = path.length === 0 ? '' : ` at ${path.join('.')}`;
  return { code, message: `Parameter "${shown(name)}" must be ${expected}${at}.`, path: [name, ...path] };
}

/** Every single value of a parameter, with its place in it. */
export function scalarsOf(value: ParameterValue): readonly { path: readonly string[]; scalar: BoundValue }[] {
  switch (value.kind) {
    case 'scalar':
      return [{ path: [], scalar: value.value }];
    case 'list':
      return value.items.map((scalar, index) => ({ path: [String(index)], scalar }));
    case 'range':
      return [
        { path: ['start'], scalar: value.start },
        { path: ['end'], scalar: value.end },
      ];
  }
}

function readTyped(definition: ParameterDefinition, json: JsonValue, context: TimeContext): ParameterValue | Fault {
  const { value: type, isRange } = parameterTypes[definition.type];
  if (isRange) return readRange(type, json, context);
  const expected = expectedOf(definition);
  if (!definition.multiple) {
    const value = parseScalar(type, json, context);
    return value ? { kind: 'scalar', value } : { path: [], expected };
  }
  const given = Array.isArray(json) ? json : [json];
  if (given.length > itemsMax) return { path: [], expected };
  const items: BoundValue[] = [];
  for (const [index, each] of given.entries()) {
    const item = each === null ? undefined : parseScalar(type, each, context);
    if (!item) return { path: [String(index)], expected: scalarTypes[type].description };
    items.push(item);
  }
  return { kind: 'list', items };
}

function readRange(type: ValueType, json: JsonValue, context: TimeContext): ParameterValue | Fault {
  const kind = type === 'date' ? 'date' : 'datetime';
  const whole = { path: [], expected: examples[kind] ?? kind };
  if (typeof json === 'string') {
    const range = relativeRange(json, kind, context);
    return range ? { kind: 'range', start: { type, value: range.start }, end: { type, value: range.end } } : whole;
  }
  if (!isRangeObject(json)) return whole;
  const { start, end } = { start: endOf('start', json, type, context), end: endOf('end', json, type, context) };
  if ('expected' in start) return start;
  if ('expected' in end) return end;
  if ((compareScalars(start, end) ?? 0) > 0)
    return { path: [], expected: 'a range that does not end before it starts' };
  return { kind: 'range', start, end };
}

function endOf(name: 'start' | 'end', json: JsonObject, type: ValueType, context: TimeContext): BoundValue | Fault {
  const given = json[name] ?? null;
  const value = given === null ? undefined : parseScalar(type, given, context);
  return value ?? { path: [name], expected: scalarTypes[type].description };
}

function isRangeObject(json: JsonValue): json is JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return false;
  return Object.keys(json).every((key) => key === 'start' || key === 'end');
}

function boundsFault(definition: ParameterDefinition, value: ParameterValue, context: TimeContext): Fault | undefined {
  for (const [bound, sign, words] of [
    [definition.minimum, 1, 'at least'],
    [definition.maximum, -1, 'at most'],
  ] as const) {
    if (bound === undefined || bound === null) continue;
    const limit = parseScalar(parameterTypes[definition.type].value, bound, context);
    for (const { path, scalar } of scalarsOf(value)) {
      // A bound that is none of the type allows nothing.
      const order = limit === undefined ? undefined : compareScalars(scalar, limit);
      if (order === undefined || order * sign < 0) return { path, expected: `${words} ${limit?.value ?? 'its limit'}` };
    }
  }
  return undefined;
}
