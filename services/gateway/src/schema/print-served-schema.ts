import { buildSchema, lexicographicSortSchema, printSchema } from 'graphql';
import { readTypeDefs } from './type-defs.js';

/** The served schema in the form that is committed: sorted, so that moving a type makes no difference. */
export function printServedSchema(): string {
  return `${printSchema(lexicographicSortSchema(buildSchema(readTypeDefs())))}\n`;
}
