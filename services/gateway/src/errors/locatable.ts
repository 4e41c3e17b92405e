import { GraphQLError, isObjectType, type GraphQLFieldResolver, type GraphQLSchema } from 'graphql';
import { AppError } from '#libs/kernel';
import type { RequestContext } from '../request/request-context.js';

/**
 * An error that GraphQL can say the place of. Whatever has an array `path` passes for one whose place is known, and an
 * AppError has one that leads into the input; so it travels inside another.
 */
export function locatable(error: unknown): unknown {
  return error instanceof AppError ? new GraphQLError(error.publicMessage, { originalError: error }) : error;
}

/** Makes every resolver of a schema fail with locatable errors. */
export function withLocatableErrors(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      if (field.resolve) field.resolve = guarded(field.resolve);
      if (field.subscribe) field.subscribe = guarded(field.subscribe);
    }
  }
  return schema;
}

type Resolve = GraphQLFieldResolver<unknown, RequestContext>;

function guarded(resolve: Resolve): Resolve {
  return (...args) => {
    try {
      const result = resolve(...args);
      return result instanceof Promise ? result.catch(fail) : result;
    } catch (error) {
      return fail(error);
    }
  };
}

function fail(error: unknown): never {
  throw locatable(error);
}
