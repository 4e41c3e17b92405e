import { All, Controller, Get, Param, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AppError } from '#libs/kernel';
import { resourceTypes, schemas, serviceProviderConfig } from './scim-discovery.js';
import { ScimHttp } from './scim-http.js';
import { scimPath } from './scim-path.js';
import { listBody } from './scim-lists.js';
import type { ScimObject } from './scim-resource.js';

/** What is there, and a word for every address that is not. */
@Controller(scimPath)
export class ScimDiscoveryController {
  constructor(private readonly http: ScimHttp) {}

  @Get('ServiceProviderConfig')
  async serviceProviderConfig(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, async () => ({
      status: 200,
      body: serviceProviderConfig(this.http.baseOf(request)),
    }));
  }

  @Get('ResourceTypes{/:id}')
  async resourceTypes(@Req() request: Request, @Res() response: Response, @Param('id') id?: string): Promise<void> {
    await this.describe(resourceTypes(this.http.baseOf(request)), id, request, response);
  }

  @Get('Schemas{/:id}')
  async schemas(@Req() request: Request, @Res() response: Response, @Param('id') id?: string): Promise<void> {
    await this.describe(schemas(this.http.baseOf(request)), id, request, response);
  }

  @All('{*path}')
  async nothing(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, () => Promise.reject(noSuchAddress()));
  }

  private async describe(
    all: readonly ScimObject[],
    id: string | undefined,
    request: Request,
    response: Response,
  ): Promise<void> {
    await this.http.answer(request, response, async () => {
      if (id === undefined)
        return { status: 200, body: listBody(all, all.length, { startIndex: 1, count: all.length }) };
      const one = all.find((each) => each['id'] === id);
      if (!one) throw noSuchAddress();
      return { status: 200, body: one };
    });
  }
}

function noSuchAddress(): AppError {
  return new AppError('auth.user_not_found', 'There is nothing at this address.');
}
