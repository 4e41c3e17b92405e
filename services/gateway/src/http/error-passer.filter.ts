import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { GqlContextType } from '@nestjs/graphql';

/** Hands what a resolver throws to GraphQL as it is; Nest's own filter would log every refusal as an error first. */
@Catch()
export class ErrorPasserFilter implements ExceptionFilter {
  catch(exception: unknown, host: ArgumentsHost): unknown {
    if (host.getType<GqlContextType>() !== 'graphql') throw exception;
    return exception;
  }
}
