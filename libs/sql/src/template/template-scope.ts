import { AppError } from '#libs/kernel';
import { shown } from '../sql-text.js';
import type { BoundValue, ParameterValue } from '../parameters/bound-value.js';
import type { TemplateCaller } from '../parameters/caller.js';
import type { ResolvedParameter } from '../parameters/resolve-parameters.js';
import type { Reference } from './syntax-tree.js';
import { templateError } from './template-error.js';

/** A value as a template reads it, and where it came from: `['status']`, `['period', 'start']`, `['user', 'region']`. */
export interface ScopedValue {
  readonly value: ParameterValue;
  readonly path: readonly string[];
  readonly isFromOptions: boolean;
}

/** The names that a template may read while it is rendered; maps all of them, so that no object's own parts are among them. */
export class TemplateScope {
  private readonly variables: Map<string, ScopedValue>[] = [];

  constructor(
    private readonly text: string,
    private readonly parameters: ReadonlyMap<string, ResolvedParameter>,
    private readonly caller: TemplateCaller | undefined,
  ) {}

  enter(variables: readonly (readonly [string, ScopedValue])[]): void {
    this.variables.push(new Map(variables));
  }

  leave(): void {
    this.variables.pop();
  }

  /**
   * @throws AppError parameter.missing; parameter.attribute_absent where the caller has no such value;
   * sql.rejected where a part is asked of what is no range, or a range is taken as one value
   */
  read(reference: Reference): ScopedValue {
    const { name, part } = reference;
    if (name === 'user') return readCaller(this.caller, part ?? '');
    const variable = this.variables.findLast((each) => each.has(keyOf(reference)))?.get(keyOf(reference));
    if (variable && (name === 'loop' || part === undefined)) return variable;
    const parameter = variable ?? this.parameters.get(name);
    if (!parameter) {
      throw new AppError('parameter.missing', `Parameter "${shown(name)}" is missing.`, { path: [name] });
    }
    const path = 'path' in parameter ? (parameter as ScopedValue).path : [name];
    if (part === undefined) return { ...parameter, path };
    if (parameter.value.kind !== 'range') {
      throw templateError(this.text, reference.at, `"${shown(name)}" is no range, so it has no ${shown(part)}`);
    }
    const value = part === 'start' ? parameter.value.start : parameter.value.end;
    return { value: { kind: 'scalar', value }, path: [...path, part], isFromOptions: false };
  }
}

/** The state of a loop is kept by its full names, its values by theirs. */
function keyOf({ name, part }: Reference): string {
  return name === 'loop' ? `loop.${part ?? ''}` : name;
}

function readCaller(caller: TemplateCaller | undefined, name: string): ScopedValue {
  const value = caller && callerValue(caller, name);
  const path = ['user', name];
  if (value) return { value, path, isFromOptions: false };
  throw new AppError('parameter.attribute_absent', `Whoever asks has no value for user.${shown(name)}.`, { path });
}

function callerValue(caller: TemplateCaller, name: string): ParameterValue | undefined {
  switch (name) {
    case 'id':
      return scalar({ type: 'text', value: caller.id });
    case 'email':
      return caller.email === null ? undefined : scalar({ type: 'text', value: caller.email });
    case 'groups':
      return { kind: 'list', items: caller.groups.map((value) => ({ type: 'text', value })) };
    default: {
      const attribute = caller.attributes.get(name);
      if (attribute === undefined) return undefined;
      if ('type' in attribute) return attribute.value === null ? undefined : scalar(attribute);
      return { kind: 'list', items: attribute };
    }
  }
}

function scalar(value: BoundValue): ParameterValue {
  return { kind: 'scalar', value };
}
