import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AppError, toPublicErrorCode, type JsonObject } from '#libs/kernel';
import {
  bindTemplate,
  checkDefinitions,
  proveReadOnly,
  type AttributeValue,
  type ParameterDefinition,
  type SqlDialect,
} from '../index.js';

/** What an example's input may have; the rest of a definition is as the GraphQL API fills it in. */
interface ExampleInput {
  readonly dialect?: SqlDialect;
  readonly definitions?: readonly (Pick<ParameterDefinition, 'name' | 'type'> & Partial<ParameterDefinition>)[];
  readonly parameters?: JsonObject;
  readonly now?: string;
  readonly timeZone?: string;
  readonly user?: {
    readonly id: string;
    readonly groups: readonly string[];
    readonly attributes: Record<string, string>;
  };
}

interface Example {
  readonly line: number;
  /** Its fences, by what they are: "sql template", "json input", "sql bound", … */
  readonly fences: Map<string, string>;
}

const guide = readFileSync(resolve(import.meta.dirname, '../../../../docs/templates.md'), 'utf8');

/** Each fence "sql template" begins an example, and the fences up to the next one belong to it. */
function examplesOf(text: string): Example[] {
  const examples: Example[] = [];
  for (const { index, 1: kind = '', 2: body = '' } of text.matchAll(/^```(\w+ \w+)\n([^]*?)\n?```$/gm)) {
    if (kind === 'sql template') examples.push({ line: text.slice(0, index).split('\n').length, fences: new Map() });
    examples.at(-1)?.fences.set(kind, body);
  }
  return examples;
}

function bind({ fences }: Example) {
  const input = JSON.parse(fences.get('json input') ?? '{}') as ExampleInput;
  const definitions = (input.definitions ?? []).map((each) => ({ multiple: false, required: true, ...each }));
  expect(checkDefinitions(definitions)).toEqual([]);
  const attributes = Object.entries(input.user?.attributes ?? {}).map(([name, value]): [string, AttributeValue] => [
    name,
    { type: 'text', value },
  ]);
  const dialect = input.dialect ?? 'postgres';
  const bound = bindTemplate({
    text: fences.get('sql template') ?? '',
    dialect,
    definitions,
    given: input.parameters ?? {},
    nowMs: Date.parse(input.now ?? '2026-11-21T07:30:00Z'),
    timeZone: input.timeZone ?? 'UTC',
    caller: input.user && {
      id: input.user.id,
      email: null,
      groups: input.user.groups,
      attributes: new Map(attributes),
    },
  });
  return { ...bound, dialect };
}

/** As the example writes an error: code, path, message. */
function errorOf(example: Example): string {
  try {
    bind(example);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const subject = [toPublicErrorCode(error.code), error.path.join('.')].filter((each) => each !== '').join(' ');
    return `${subject}: ${error.publicMessage}`;
  }
  return 'no error';
}

const examples = examplesOf(guide);
const bound = examples.filter(({ fences }) => fences.has('sql bound'));
const refused = examples.filter(({ fences }) => fences.has('text error'));

describe('docs/templates.md', () => {
  it('has examples, each with what comes of it', () => {
    expect(bound.length).toBeGreaterThan(8);
    expect(refused.length).toBeGreaterThan(3);
    expect(bound.length + refused.length).toBe(examples.length);
  });

  it.each(bound)('tells what is bound at line $line', async (example) => {
    const { sql, values, parameters, dialect } = bind(example);
    const { fences } = example;
    expect(sql).toBe(fences.get('sql bound'));
    expect(values.map(({ type, value }) => [type, value])).toEqual(JSON.parse(fences.get('json values') ?? ''));
    expect(parameters).toEqual(JSON.parse(fences.get('json resolved') ?? JSON.stringify(parameters)));
    await expect(proveReadOnly(dialect, sql, { valueCount: values.length })).resolves.toBeUndefined();
  });

  it.each(refused)('tells what is refused at line $line', (example) => {
    expect(errorOf(example)).toBe(example.fences.get('text error'));
  });
});
