import { Catch, NotFoundException, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import type { GqlContextType } from '@nestjs/graphql';
import { locatable } from '../errors/locatable.js';

/** Hands what a resolver throws to GraphQL as it is; Nest's own filter would log every refusal as an error first. */
@Catch()
export class ErrorPasserFilter extends BaseExceptionFilter {
  override catch(exception: unknown, host: ArgumentsHost): unknown {
    if (host.getType<GqlContextType>() === 'graphql') return locatable(exception);
    // oxlint-disable-next-line promise/valid-params -- the method of a filter, not of a promise
    super.catch(exception instanceof NotFoundException ? nothingHere() : exception, host);
    return undefined;
  }
}

/** Nest's own text repeats the address, and whoever has the address of a download has the file. */
function nothingHere(): NotFoundException {
  return new NotFoundException('Nothing is here for this method.');
}
