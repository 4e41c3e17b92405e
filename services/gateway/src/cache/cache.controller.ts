import { All, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { runRequests } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { PlainHttp } from '../http/plain-http.js';
import { parseInvalidation, toInvalidation } from './invalidation.js';

/** For the end of a load, where plain HTTP is at hand and GraphQL is not. */
@Controller('v1/cache')
export class CacheController {
  constructor(private readonly http: PlainHttp) {}

  @Post('invalidate')
  @HttpCode(200)
  async invalidate(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, async (context) => {
      // Who may not is told that, and nothing of the input.
      void context.caller;
      // Whatever is sent as something else, as curl does by itself, was not read.
      if (request.is('application/json') === false) throw noJson();
      const { invalidatedCount } = await context.ask(
        runRequests.invalidateCache,
        toInvalidation(parseInvalidation(request.body)),
      );
      return { invalidatedCount };
    });
  }

  @All('invalidate')
  async refuse(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.refuseMethod(request, response, 'POST');
  }
}

function noJson(): AppError {
  return new AppError('input.invalid', 'Send the body as JSON, with the header content-type: application/json.');
}
