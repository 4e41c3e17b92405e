import {
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
} from 'graphql';

export interface Comparison {
  /** What both schemas have and state differently. Never allowed. */
  readonly differences: readonly string[];
  /** What the contract has and the served schema has not yet: schema coordinates, sorted. */
  readonly absent: readonly string[];
}

/**
 * Compares the served schema with the contract. Whatever both have must agree in kind, types, nullability, argument
 * and input defaults, interfaces and `@oneOf`. What is absent is listed by its schema coordinate (RFC `Type.field(arg:)`);
 * a type that is absent stands for its members, and a field of an absent type is listed by itself.
 */
export function compareSchemas(contract: GraphQLSchema, served: GraphQLSchema): Comparison {
  const differences: string[] = [];
  const absent: string[] = [];

  for (const expected of Object.values(contract.getTypeMap())) {
    if (expected.name.startsWith('__')) {
      continue;
    }
    const actual = served.getType(expected.name);
    if (actual === undefined) {
      absent.push(expected.name);
    } else if (expected.constructor.name !== actual.constructor.name) {
      differences.push(
        `${expected.name}: ${expected.constructor.name} in the contract, ${actual.constructor.name} served`,
      );
    } else {
      compareTypes(expected, actual, differences, absent);
    }
  }
  return { differences: differences.sort(), absent: absent.sort() };
}

function compareTypes(
  expected: GraphQLNamedType,
  actual: GraphQLNamedType,
  differences: string[],
  absent: string[],
): void {
  const { name } = expected;
  if ((isObjectType(expected) && isObjectType(actual)) || (isInterfaceType(expected) && isInterfaceType(actual))) {
    const implemented = actual.getInterfaces().map((type) => type.name);
    for (const wanted of expected.getInterfaces()) {
      if (!implemented.includes(wanted.name)) {
        differences.push(`${name}: does not implement ${wanted.name}`);
      }
    }
    for (const [fieldName, field] of Object.entries(expected.getFields())) {
      const servedField = actual.getFields()[fieldName];
      if (servedField === undefined) {
        absent.push(`${name}.${fieldName}`);
        continue;
      }
      compareText(`${name}.${fieldName}`, String(field.type), String(servedField.type), differences);
      compareInputs(`${name}.${fieldName}`, field.args, servedField.args, differences, absent, (arg) => `(${arg}:)`);
    }
  } else if (isInputObjectType(expected) && isInputObjectType(actual)) {
    compareText(`${name} @oneOf`, String(expected.isOneOf), String(actual.isOneOf), differences);
    const fields = Object.values(expected.getFields());
    const servedFields = Object.values(actual.getFields());
    compareInputs(name, fields, servedFields, differences, absent, (field) => `.${field}`);
  } else if (isEnumType(expected) && isEnumType(actual)) {
    const servedValues = actual.getValues().map((value) => value.name);
    const missing = expected.getValues().filter((value) => !servedValues.includes(value.name));
    absent.push(...missing.map((value) => `${name}.${value.name}`));
  } else if (isUnionType(expected) && isUnionType(actual)) {
    const servedMembers = actual.getTypes().map((type) => type.name);
    const missing = expected.getTypes().filter((type) => !servedMembers.includes(type.name));
    absent.push(...missing.map((type) => `${name}.${type.name}`));
  }
}

type Input = GraphQLArgument | GraphQLInputField;

/** Arguments and input fields: one may be absent while it is optional, and one that is added must be optional. */
function compareInputs(
  owner: string,
  expected: readonly Input[],
  actual: readonly Input[],
  differences: string[],
  absent: string[],
  coordinate: (name: string) => string,
): void {
  for (const input of expected) {
    const place = owner + coordinate(input.name);
    const servedInput = actual.find((other) => other.name === input.name);
    if (servedInput === undefined) {
      if (isRequired(input)) {
        differences.push(`${place}: required by the contract and not served`);
      } else {
        absent.push(place);
      }
      continue;
    }
    compareText(place, String(input.type), String(servedInput.type), differences);
    compareText(`${place} default`, defaultOf(input), defaultOf(servedInput), differences);
  }
  for (const added of actual) {
    if (isRequired(added) && !expected.some((input) => input.name === added.name)) {
      differences.push(`${owner}${coordinate(added.name)}: required, and the contract does not have it`);
    }
  }
}

function isRequired(input: Input): boolean {
  return String(input.type).endsWith('!') && input.defaultValue === undefined;
}

function defaultOf(input: Input): string {
  return input.defaultValue === undefined ? 'none' : JSON.stringify(input.defaultValue);
}

function compareText(place: string, expected: string, actual: string, differences: string[]): void {
  if (expected !== actual) {
    differences.push(`${place}: ${expected} in the contract, ${actual} served`);
  }
}
