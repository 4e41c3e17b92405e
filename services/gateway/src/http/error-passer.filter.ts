import { Catch, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import type { GqlContextType } from '@nestjs/graphql';
import { locatable } from '../errors/locatable.js';

/** Hands what a resolver throws to GraphQL as it is; Nest's own filter would log every refusal as an error first. */
@Catch()
export class ErrorPasserFilter extends BaseExceptionFilter {
  override catch(exception: unknown, host: ArgumentsHost): unknown {
    if (host.getType<GqlContextType>() === 'graphql') return locatable(exception);
    // oxlint-disable-next-line promise/valid-params -- the method of a filter, not of a promise
    super.catch(exception, host);
    return undefined;
  }
}
