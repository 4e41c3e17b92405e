import type { BoundValue, ParameterValue } from '../parameters/bound-value.js';
import type { TimeContext } from '../parameters/civil-time.js';
import { compareScalars, convertScalar } from '../parameters/scalar-types.js';
import type { Comparison, Condition, Operand, Reference } from './syntax-tree.js';

export interface ConditionContext {
  readonly time: TimeContext;
  readonly valueOf: (reference: Reference) => ParameterValue;
  readonly countStep: () => void;
  readonly fault: (at: number, message: string) => Error;
}

const orders: Readonly<Record<Exclude<Comparison, 'in' | '==' | '!='>, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

/**
 * Whether a condition holds. Alone, a value holds unless it is null, false, an empty text or an empty list. A literal
 * is compared as a value of the other's type. null equals null alone, and has no order: `null < 1` is false.
 */
export function evaluateCondition(condition: Condition, context: ConditionContext): boolean {
  context.countStep();
  switch (condition.kind) {
    case 'and':
      return condition.operands.every((operand) => evaluateCondition(operand, context));
    case 'or':
      return condition.operands.some((operand) => evaluateCondition(operand, context));
    case 'not':
      return !evaluateCondition(condition.operand, context);
    case 'truth':
      return isTrue(operandOf(condition.operand, context));
    case 'comparison':
      return compare(condition, context);
  }
}

function isTrue(value: ParameterValue): boolean {
  if (value.kind === 'list') return value.items.length > 0;
  const scalar = value.kind === 'range' ? value.start : value.value;
  return scalar.value !== null && scalar.value !== '' && !(scalar.type === 'boolean' && scalar.value === 'false');
}

function compare(
  { operator, left, right, at }: Extract<Condition, { kind: 'comparison' }>,
  context: ConditionContext,
): boolean {
  const one = scalarOperand(left, at, context);
  const isLiteral = { left: left.kind === 'literal', right: right.kind === 'literal' };
  if (operator === 'in') {
    const list = operandOf(right, context);
    if (list.kind !== 'list') throw context.fault(at, 'Behind "in" there must be a list.');
    for (const _ of list.items) context.countStep();
    return list.items.some((item) => areEqual(one, item, isLiteral, context.time));
  }
  const other = scalarOperand(right, at, context);
  if (operator === '==') return areEqual(one, other, isLiteral, context.time);
  if (operator === '!=') return !areEqual(one, other, isLiteral, context.time);
  if (one.value === null || other.value === null) return false;
  const order = orderOf(one, other, isLiteral, context.time);
  if (order === undefined) throw context.fault(at, `A ${one.type} and a ${other.type} have no order.`);
  return orders[operator](order);
}

function areEqual(one: BoundValue, other: BoundValue, isLiteral: Literals, time: TimeContext): boolean {
  if (one.value === null || other.value === null) return one.value === other.value;
  return orderOf(one, other, isLiteral, time) === 0;
}

interface Literals {
  readonly left: boolean;
  readonly right: boolean;
}

function orderOf(one: BoundValue, other: BoundValue, isLiteral: Literals, time: TimeContext): number | undefined {
  const order = compareScalars(one, other);
  if (order !== undefined) return order;
  const left = isLiteral.left ? convertScalar(one, other.type, time) : one;
  const right = isLiteral.right ? convertScalar(other, one.type, time) : other;
  return left && right ? compareScalars(left, right) : undefined;
}

function scalarOperand(operand: Operand, at: number, context: ConditionContext): BoundValue {
  const value = operandOf(operand, context);
  if (value.kind === 'scalar') return value.value;
  throw context.fault(at, `A ${value.kind} cannot be compared.`);
}

function operandOf(operand: Operand, context: ConditionContext): ParameterValue {
  return operand.kind === 'literal' ? { kind: 'scalar', value: operand.value } : context.valueOf(operand.reference);
}
